"""Parts of files over HTTP (RFC 9110, section 14), read a mebibyte at a time."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from beholden.access.door import Pass
from beholden.model.access import Action
from beholden.play.footage import not_recorded
from beholden.play.leave import Leave
from beholden.play.mp4 import SpanFile

CHUNK = 1024 * 1024
_KEPT = {"Cache-Control": "private, max-age=600"}
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


class Content(Protocol):
    """Bytes of which parts can be had."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def read(self, at: int, count: int) -> bytes:
        """``count`` bytes from ``at`` on; blocks. Empty when it has become shorter."""
        ...


@dataclass(frozen=True, slots=True)
class SpanContent:
    """A stretch of footage as one file, to whom a pass lets have it."""

    span: SpanFile
    leave: Leave

    @property
    def size(self) -> int:
        """See Content."""
        return self.span.size

    def read(self, at: int, count: int) -> bytes:
        """See Content."""
        return self.span.read(self.leave, at, count)


class ContentResponse:
    """Content, or the part of it that is asked for. ``etag`` names it, quotes included; ``headers`` go with
    every answer that is not 304."""

    def __init__(self, content: Content, etag: str, media_type: str, headers: Mapping[str, str]) -> None:
        self._content = content
        self._etag = etag
        self._headers = {
            "Accept-Ranges": "bytes",
            "Content-Type": media_type,
            "ETag": etag,
            "X-Content-Type-Options": "nosniff",
            **headers,
        }

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        asked, size = Headers(scope=scope), self._content.size
        if self._etag in _tags(asked.get("if-none-match")):
            await _start(send, 304, {"ETag": self._etag, "Cache-Control": "private"})
            await send({"type": "http.response.body", "body": b""})
            return
        wanted = asked.get("range")
        if asked.get("if-range", self._etag) != self._etag:
            wanted = None  # what the client has is of another version
        headers = dict(self._headers)
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
        await self._send(send, Part(0, 0) if scope["method"] == "HEAD" else whole)

    async def _send(self, send: Send, part: Part) -> None:
        at = part.start
        while at < part.end:
            chunk = await to_thread.run_sync(self._content.read, at, min(CHUNK, part.end - at))
            if not chunk:
                raise OSError("the file became shorter while it was sent")  # the server ends the connection
            at += len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": at < part.end})
        if part.size == 0:
            await send({"type": "http.response.body", "body": b""})


class FileResponse:
    """A file, or the part of it that is asked for. ``etag`` names its content; its size is added to it.

    ``leave`` is the pass under which it goes out.
    """

    def __init__(self, path: Path, etag: str, media_type: str, leave: Pass) -> None:
        leave.require(leave.camera, Action.PLAYBACK, Action.STILL)
        self._path = path
        self._etag = etag
        self._media_type = media_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            fd = await to_thread.run_sync(os.open, self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            raise not_recorded() from None
        try:
            content = _OpenFile(fd)
            etag = f'"{self._etag}-{content.size:x}"'
            await ContentResponse(content, etag, self._media_type, _KEPT)(scope, receive, send)
        finally:
            os.close(fd)


class _OpenFile:
    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size

    def read(self, at: int, count: int) -> bytes:
        return os.pread(self._fd, count, at)


async def _start(send: Send, status: int, headers: dict[str, str]) -> None:
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})


def _tags(header: str | None) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in (header or "").split(",")]
