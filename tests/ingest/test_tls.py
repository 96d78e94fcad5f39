"""rtsps: the certificate choice of each camera, against a real TLS server with a certificate of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beholden.demo.camera import VirtualCamera
from beholden.demo.identity import TlsIdentity
from beholden.demo.rtsp_server import RunningCameras, start_virtual_cameras
from beholden.ingest import tls
from beholden.ingest.connection import FakeWire
from beholden.ingest.probe import probe
from beholden.ingest.pyav import PyAvSource
from beholden.ingest.rtsp import RtspSource
from beholden.ingest.source import SourceError
from beholden.model.camera import StreamAddress, StreamState, Transport
from beholden.model.time import FakeClock, SystemClock

pytestmark = pytest.mark.rtsp
Until = Callable[..., None]
SECRET = "kept-between-us"


@pytest.fixture(scope="module")
def identity() -> TlsIdentity:
    """A certificate for 127.0.0.1 that nobody has signed."""
    return TlsIdentity()


@pytest.fixture(scope="module")
def secure(clip_factory: Callable[..., Path], identity: TlsIdentity) -> Iterator[RunningCameras]:
    """A camera over TLS with a login. Its clip is heavy, so that one read of TLS is not all there is."""
    clip = clip_factory(width=1280, height=720, fps=15, bitrate=8_000_000, noise=12.0, audio="aac")
    with start_virtual_cameras(
        [VirtualCamera("gate", clip)], user="cam", password=SECRET, identity=identity
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def _authorities_anew() -> Iterator[None]:
    tls._verifying.cache_clear()
    yield
    tls._verifying.cache_clear()


def _source(url: str, sink: Any, certificate: str) -> RtspSource:
    return RtspSource(StreamAddress(url, "cam", SECRET, certificate=certificate), sink, SystemClock())


def _refused(source: Any, until: Until) -> SourceError:
    with pytest.raises(SourceError) as caught:
        until(lambda: source.poll(time.monotonic()), lambda: False)
    source.close()
    return caught.value


def test_any_certificate_will_do_where_a_person_said_so(
    secure: RunningCameras, sink: Any, until: Until
) -> None:
    """The stream arrives encrypted and whole, though a tick brings more than one TLS record holds."""
    source = _source(secure.url("gate"), sink, "any")
    polls = 0

    def tick() -> None:
        nonlocal polls
        polls += 1
        source.poll(time.monotonic())
        time.sleep(0.1)

    until(tick, lambda: len(sink.video) >= 45)
    source.close()
    assert source.status.lost_packets == 0
    assert polls < source.status.bytes // 16_384 // 2  # a record a tick would take twice as many


def test_the_pinned_certificate_and_no_other(
    secure: RunningCameras, identity: TlsIdentity, sink: Any, until: Until
) -> None:
    """Another is refused before a word is said, and the fingerprint it has is told."""
    source = _source(secure.url("gate"), sink, f"sha256:{identity.fingerprint}")
    until(lambda: source.poll(time.monotonic()), lambda: len(sink.video) >= 3)
    source.close()
    wrong = _source(secure.url("gate"), sink, "sha256:" + "ab" * 32)
    error = _refused(wrong, until)
    assert (error.state, error.code) == (StreamState.REFUSED, "certificate_changed")
    assert identity.fingerprint in error.message


def test_by_default_an_unknown_certificate_is_refused_and_shown(
    secure: RunningCameras, identity: TlsIdentity, sink: Any, until: Until
) -> None:
    """With the fingerprint that a person can compare and pin; no fallback to a client that asks less."""
    error = _refused(_source(secure.url("gate"), sink, "verify"), until)
    assert (error.state, error.code) == (StreamState.REFUSED, "certificate_not_trusted")
    assert identity.fingerprint in error.message
    assert f"sha256:{identity.fingerprint}" in error.next_step
    assert not error.fallback
    found = probe(StreamAddress(secure.url("gate"), "cam", SECRET))
    assert found.verdict == "bad"
    assert identity.fingerprint in found.sentence


def test_a_certificate_this_machine_trusts_is_taken(
    secure: RunningCameras,
    identity: TlsIdentity,
    sink: Any,
    until: Until,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once its issuer is among the machine's authorities; under another host name it is refused again."""
    authorities = tmp_path / "authorities.pem"
    authorities.write_text(identity.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities))
    source = _source(secure.url("gate"), sink, "verify")
    until(lambda: source.poll(time.monotonic()), lambda: len(sink.video) >= 3)
    source.close()
    elsewhere = secure.url("gate").replace("127.0.0.1", "localhost")
    error = _refused(_source(elsewhere, sink, "verify"), until)
    assert error.code == "certificate_not_trusted"
    assert "hostname" in error.message


def test_a_camera_without_tls_is_named(virtual_cameras: RunningCameras, sink: Any, until: Until) -> None:
    """rtsps to a port that speaks plain RTSP."""
    source = _source(virtual_cameras.url("gate").replace("rtsp:", "rtsps:"), sink, "any")
    error = _refused(source, until)
    assert error.code in ("no_tls", "camera_closed")
    assert error.next_step


def test_a_host_that_never_finishes_the_handshake_is_given_up(server: Any, sink: Any, until: Until) -> None:
    """After some seconds of the client's clock, with words."""
    server.silent = True
    source = _source(server.url.replace("rtsp:", "rtsps:"), sink, "any")
    now = iter(range(10_000))
    with pytest.raises(SourceError) as caught:
        until(lambda: source.poll(time.monotonic() + next(now) / 10), lambda: False)
    source.close()
    assert caught.value.code == "no_tls"


def test_encrypted_media_never_goes_over_udp(secure: RunningCameras, sink: Any, until: Until) -> None:
    """Neither chosen nor because the camera refuses TCP: it would travel in the clear."""
    address = StreamAddress(secure.url("gate"), "cam", SECRET, Transport.UDP, "any")
    assert _refused(RtspSource(address, sink, SystemClock()), until).code == "udp_in_the_clear"
    fallen = _source(secure.url("gate", no_tcp=1), sink, "any")
    assert _refused(fallen, until).code == "udp_in_the_clear"
    assert sink.units == []


def test_an_encrypted_address_is_not_left_for_an_open_one(sink: Any) -> None:
    """A redirect from rtsps to rtsp on the same host would send the password in the clear."""
    fine = "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"
    sent_on = "RTSP/1.0 302 Found\r\nCSeq: 2\r\nLocation: rtsp://192.0.2.1/live\r\n\r\n"
    wire = FakeWire([(fine + sent_on).encode()])
    source = RtspSource(StreamAddress("rtsps://192.0.2.1/live"), sink, FakeClock(), connect=wire)
    with pytest.raises(SourceError) as caught:
        source.poll(0.0)
    assert caught.value.code == "unencrypted_redirect"


def test_the_fallback_keeps_to_the_choice(secure: RunningCameras, sink: Any, until: Until) -> None:
    """It takes any certificate only where a person said so, and cannot compare a pinned one."""
    pinned = StreamAddress(secure.url("gate"), "cam", SECRET, certificate="sha256:" + "0" * 64)
    assert _refused(PyAvSource(pinned, sink, SystemClock()), until).code == "pin_not_checked"
    unknown = StreamAddress(secure.url("gate"), "cam", SECRET)
    assert _refused(PyAvSource(unknown, sink, SystemClock()), until).code == "camera_closed"
    taken = PyAvSource(
        StreamAddress(secure.url("gate"), "cam", SECRET, certificate="any"), sink, SystemClock()
    )
    until(lambda: taken.poll(time.monotonic()), lambda: len(sink.video) >= 2)
    taken.close()
