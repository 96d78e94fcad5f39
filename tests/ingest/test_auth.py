"""Answering a camera's challenge."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholden.ingest.auth import Challenge, Credentials, choose_challenge


def test_digest_without_qop_is_the_answer_of_rfc_2069() -> None:
    """The known answer of RFC 2069's example with its erratum."""
    credentials = Credentials("Mufasa", "CircleOfLife")
    credentials.accept(Challenge("digest", "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093"))
    header = credentials.header("GET", "/dir/index.html")
    assert header is not None
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in header


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digest_with_qop_is_the_answer_of_rfc_7616(algorithm: str, response: str) -> None:
    """The known answers of RFC 7616 section 3.9.1."""
    own = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    credentials = Credentials("Mufasa", "Circle of Life", lambda: own)
    nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
    opaque = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
    credentials.accept(Challenge("digest", "http-auth@example.org", nonce, opaque, algorithm, qop_auth=True))
    header = credentials.header("GET", "/dir/index.html")
    assert header is not None
    assert f'response="{response}"' in header
    assert f'opaque="{opaque}"' in header
    assert "nc=00000001" in header


def test_every_answer_to_one_nonce_has_a_number_of_its_own() -> None:
    """nc counts up, and begins again with a new nonce."""
    credentials = Credentials("u", "p")
    credentials.accept(Challenge("digest", "r", "n", qop_auth=True))
    counts = [str(credentials.header("PLAY", "rtsp://h/")) for _ in range(3)]
    assert [f"nc=0000000{number}" in text for number, text in enumerate(counts, 1)] == [True] * 3
    credentials.accept(Challenge("digest", "r", "n2", qop_auth=True))
    assert "nc=00000001" in str(credentials.header("PLAY", "rtsp://h/"))


def test_the_strongest_known_challenge_is_answered() -> None:
    """SHA-256 before MD5 before Basic; unknown schemes and algorithms are passed over."""
    offered = [
        'Basic realm="cam"',
        'Digest realm="cam", nonce="a", algorithm=MD5',
        'Digest realm="cam", nonce="b", algorithm=SHA-256, qop="auth,auth-int"',
        'Digest realm="cam", nonce="c", algorithm=SHA-512-256',
        "Negotiate",
    ]
    assert [getattr(choose_challenge(offered[:count]), "nonce", None) for count in (1, 2, 3, 5)] == [
        "",
        "a",
        "b",
        "b",
    ]
    assert choose_challenge(["Negotiate", 'Digest realm="x", nonce="n", qop="auth-int"']) is None


def test_stale_and_quoted_fields_are_understood() -> None:
    """Quoted text may hold commas, equals signs and escaped quotes."""
    found = choose_challenge(['Digest realm="a \\"b\\", c=d", nonce="n", stale=TRUE'])
    assert found is not None
    assert (found.realm, found.nonce, found.stale) == ('a "b", c=d', "n", True)


def test_a_password_shows_nowhere() -> None:
    """Neither the repr nor a digest answer holds it."""
    credentials = Credentials("u", "s3cret-word")
    credentials.accept(Challenge("digest", "r", "n"))
    assert "s3cret-word" not in f"{credentials!r} {credentials} {credentials.header('PLAY', 'rtsp://h/')}"


def test_a_password_outside_ascii_is_hashed_as_utf8() -> None:
    """RFC 7616 wants UTF-8."""
    credentials = Credentials("ü", "pässw")
    credentials.accept(Challenge("digest", "r", "n"))
    md5 = lambda text: hashlib.md5(text.encode()).hexdigest()  # noqa: E731
    expected = md5(f"{md5('ü:r:pässw')}:n:{md5('PLAY:rtsp://h/')}")
    assert expected in str(credentials.header("PLAY", "rtsp://h/"))


@given(st.lists(st.text(max_size=200), max_size=4))
def test_any_header_is_survived(headers: list[str]) -> None:
    """A challenge is what we can answer, or nothing."""
    found = choose_challenge([*headers, *(f"Digest {text}" for text in headers)])
    if found is not None:
        credentials = Credentials("u", "p")
        credentials.accept(found)
        header = credentials.header("PLAY", "rtsp://h/")
        assert header is not None
        assert "\n" not in header
        assert "\r" not in header
