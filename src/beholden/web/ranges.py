"""Parts of files over HTTP (RFC 9110, section 14), read with ``pread`` a mebibyte at a time."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from beholden.access.door import Pass
from beholden.model.access import Action
from beholden.play.footage import not_recorded

CHUNK = 1024 * 1024
_RANGE = re.compile(r"bytes=\s*(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes ``start`` to ``end`` (exclusive) of a thing."""

    start: int
    end: int

    @property
    def size(self) -> int:
        """How many bytes."""
        return self.end - self.start


class UnsatisfiableRangeError(ValueError):
    """None of the bytes asked for exist."""


def parse_range(header: str | None, size: int) -> Part | None:
    """The part a ``Range`` header asks for of ``size`` bytes; None when all of it is to be sent.

    All is sent for no header, another unit, several ranges (which a server may ignore) and nonsense.
    UnsatisfiableRangeError for a range beyond the end, or of nothing.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        if int(suffix) == 0 or size == 0:
            raise UnsatisfiableRangeError(header)
        return Part(max(0, size - int(suffix)), size)
    start = int(first)
    if last and int(last) < start:
        return None  # not a valid range: to be ignored (RFC 9110, 14.1.1)
    if start >= size:
        raise UnsatisfiableRangeError(header)
    return Part(start, min(size, int(last) + 1) if last else size)


class FileResponse:
    """A file, or the part of it that is asked for. ``etag`` names its content; its size is added to it.

    ``leave`` is the pass under which it goes out.
    """

    def __init__(self, path: Path, etag: str, media_type: str, leave: Pass) -> None:
        leave.require(leave.camera, Action.PLAYBACK, Action.STILL)
        self._path = path
        self._etag = f'"{etag}"'
        self._media_type = media_type

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        try:
            fd = await to_thread.run_sync(os.open, self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            raise not_recorded() from None
        try:
            await self._send_file(fd, Headers(scope=scope), scope["method"] == "HEAD", send)
        finally:
            os.close(fd)

    async def _send_file(self, fd: int, asked: Headers, head_only: bool, send: Send) -> None:
        size = os.fstat(fd).st_size
        etag = f'{self._etag[:-1]}-{size:x}"'
        if etag in _tags(asked.get("if-none-match")):
            await _start(send, 304, {"ETag": etag, "Cache-Control": "private"})
            await send({"type": "http.response.body", "body": b""})
            return
        wanted = asked.get("range")
        if asked.get("if-range", etag) != etag:
            wanted = None  # what the client has is of another version
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Type": self._media_type,
            "Cache-Control": "private, max-age=600",
            "ETag": etag,
            "X-Content-Type-Options": "nosniff",
        }
        try:
            part = parse_range(wanted, size)
        except UnsatisfiableRangeError:
            headers |= {
                "Content-Range": f"bytes */{size}",
                "Content-Length": "0",
                "Cache-Control": "no-store",
            }
            await _start(send, 416, headers)
            await send({"type": "http.response.body", "body": b""})
            return
        if part is not None:
            headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{size}"
        whole = part or Part(0, size)
        headers["Content-Length"] = str(whole.size)
        await _start(send, 200 if part is None else 206, headers)
        await _send_part(send, fd, Part(0, 0) if head_only else whole)


async def _send_part(send: Send, fd: int, part: Part) -> None:
    at = part.start
    while at < part.end:
        chunk = await to_thread.run_sync(os.pread, fd, min(CHUNK, part.end - at), at)
        if not chunk:
            raise OSError("the file became shorter while it was sent")  # the server ends the connection
        at += len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": at < part.end})
    if part.size == 0:
        await send({"type": "http.response.body", "body": b""})


async def _start(send: Send, status: int, headers: dict[str, str]) -> None:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})


def _tags(header: str | None) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in (header or "").split(",")]
