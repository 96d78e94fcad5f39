"""Parts of files over HTTP, case by case of RFC 9110 section 14."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholden.model.errors import BeholdenError
from beholden.web.ranges import CHUNK, FileResponse, Part, UnsatisfiableRangeError, parse_range

SIZE = 1000


class Leave:
    """A pass that is good for all."""

    camera = 1

    def require(self, camera: int, *actions: object) -> None:
        """Yes."""


async def ask(
    path: Path, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes, list[int]]:
    """(status, headers, body, chunk sizes) of a request."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "headers": raw}
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    async def send(message: Any) -> None:
        sent.append(message)

    await FileResponse(path, "7-0", "video/mp4", Leave())(scope, receive, send)  # type: ignore[arg-type]
    assert not sent[-1].get("more_body")
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    bodies = [message["body"] for message in sent[1:]]
    return sent[0]["status"], found, b"".join(bodies), [len(body) for body in bodies]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of 1000 bytes."""
    path = tmp_path / "x.mp4"
    path.write_bytes(bytes(n % 251 for n in range(SIZE)))
    return path


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-499", 0, 500),
        ("bytes=500-", 500, 1000),
        ("bytes=-1", 999, 1000),
        ("bytes=-5000", 0, 1000),
        ("bytes=990-5000", 990, 1000),
        ("Bytes= 5-6 ", 5, 7),
    ],
)
async def test_one_range_is_given_as_asked(file: Path, header: str, start: int, end: int) -> None:
    """206 with where it lies and how long it is."""
    status, headers, body, _ = await ask(file, range=header)
    assert status == 206
    assert body == file.read_bytes()[start:end]
    assert headers["content-range"] == f"bytes {start}-{end - 1}/1000"
    assert headers["content-length"] == str(end - start)


@pytest.mark.parametrize(
    "header", ["", "bytes=", "bytes=a-b", "bytes=5-3", "lines=1-2", "bytes=0-1,5-6", "bytes=--1", "bytes=1"]
)
async def test_what_is_no_single_range_gives_all(file: Path, header: str) -> None:
    """A server may ignore Range, and must ignore nonsense."""
    status, headers, body, _ = await ask(file, range=header)
    assert (status, body) == (200, file.read_bytes())
    assert headers["accept-ranges"] == "bytes"
    assert "content-range" not in headers


@pytest.mark.parametrize("header", ["bytes=1000-", "bytes=5000-6000", "bytes=-0"])
async def test_a_range_beyond_the_end_is_416(file: Path, header: str) -> None:
    """With the size, so that the client can ask again."""
    status, headers, body, _ = await ask(file, range=header)
    assert (status, body, headers["content-range"]) == (416, b"", "bytes */1000")


async def test_head_says_the_same_and_sends_nothing(file: Path) -> None:
    """With and without a range."""
    for more in ({}, {"range": "bytes=10-19"}):
        got, head = await ask(file, **more), await ask(file, "HEAD", **more)
        assert head[:2] == got[:2]
        assert head[2] == b""


async def test_if_range_of_another_version_gives_all(file: Path) -> None:
    """The part a client has would not fit what is there now; a date is never equal."""
    etag = (await ask(file))[1]["etag"]
    assert (await ask(file, range="bytes=0-4", if_range=etag))[0] == 206
    assert (await ask(file, range="bytes=0-4", if_range='"old"'))[0] == 200
    assert (await ask(file, range="bytes=0-4", if_range="Tue, 24 Nov 2026 00:00:00 GMT"))[0] == 200
    file.write_bytes(file.read_bytes() + b"more")
    assert (await ask(file, range="bytes=0-4", if_range=etag))[0] == 200


async def test_what_the_client_has_is_not_sent_again(file: Path) -> None:
    """If-None-Match with one of several tags."""
    etag = (await ask(file))[1]["etag"]
    status, _, body, _ = await ask(file, if_none_match=f'"a", W/{etag}')
    assert (status, body) == (304, b"")


async def test_footage_is_private(file: Path) -> None:
    """No shared cache keeps it."""
    assert (await ask(file))[1]["cache-control"].startswith("private")


async def test_large_files_go_out_in_pieces(tmp_path: Path) -> None:
    """Memory does not grow with the file."""
    path = tmp_path / "large"
    path.write_bytes(bytes(2 * CHUNK + 5))
    assert (await ask(path))[3] == [CHUNK, CHUNK, 5]


async def test_an_empty_and_a_missing_file(tmp_path: Path) -> None:
    """The one is whole, the other is told."""
    (tmp_path / "empty").touch()
    assert (await ask(tmp_path / "empty"))[:1] == (200,)
    with pytest.raises(BeholdenError):
        await ask(tmp_path / "none")


@given(st.text(max_size=30) | st.from_regex(r"bytes=\d{0,25}-\d{0,25}"), st.integers(0, 5000))
def test_any_header_gives_a_part_inside_or_all_or_416(header: str, size: int) -> None:
    """Never a part outside the file."""
    try:
        part = parse_range(header, size)
    except UnsatisfiableRangeError:
        return
    assert part is None or 0 <= part.start < part.end <= size
    assert part is None or isinstance(part, Part)
