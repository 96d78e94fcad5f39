"""RTSP messages (RFC 2326): the text between interleaved frames."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_HEADER = 65_536
MAX_BODY = 262_144
METHODS = (
    b"OPTIONS ",
    b"ANNOUNCE ",
    b"GET_PARAMETER ",
    b"SET_PARAMETER ",
    b"REDIRECT ",
    b"TEARDOWN ",
    b"PLAY_NOTIFY ",
)


@dataclass(slots=True)
class Message:
    """A reply (``status`` > 0) or a camera's own request (``method`` set). Header names are in small letters;
    repeated headers are kept apart."""

    status: int = 0
    reason: str = ""
    method: str = ""
    headers: dict[str, list[str]] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str:
        """The first value of a header; empty when it is not there."""
        values = self.headers.get(name)
        return values[0] if values else ""


class MessageError(ValueError):
    """Not an RTSP message, or larger than one may be."""


def may_begin(data: bytes, position: int) -> bool | None:
    """Whether a message begins at ``position``; None while too few bytes are there to know."""
    head = data[position : position + 16]
    for word in (b"RTSP/", *METHODS):
        if head.startswith(word):
            return True
        if word.startswith(head):
            return None
    return False


def read(data: bytes, position: int) -> tuple[Message, int] | None:
    """The message that begins at ``position`` and where it ends; None while it is not whole."""
    end = data.find(b"\r\n\r\n", position, position + MAX_HEADER)
    if end < 0:
        if len(data) - position >= MAX_HEADER:
            raise MessageError("a header without end")
        return None
    lines = data[position:end].decode("utf-8", "replace").split("\r\n")
    message = _first_line(lines[0])
    for line in lines[1:]:
        name, _, value = line.partition(":")
        message.headers.setdefault(name.strip().lower(), []).append(value.strip())
    length_text = message.header("content-length") or "0"
    if not (length_text.isascii() and length_text.isdecimal() and len(length_text) < 10):
        raise MessageError("a body without a length")
    length = int(length_text)
    if length > MAX_BODY:
        raise MessageError("a body that is too large")
    end += 4
    if len(data) - end < length:
        return None
    message.body = data[end : end + length]
    return message, end + length


def request(method: str, url: str, headers: dict[str, str]) -> bytes:
    """A request ready to send. Line breaks in values are removed."""
    lines = [
        f"{method} {_clean(url)} RTSP/1.0",
        *(f"{name}: {_clean(value)}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _clean(text: str) -> str:
    return text.replace("\r", "").replace("\n", "")


def _first_line(line: str) -> Message:
    words = line.split(" ", 2)
    if words[0].startswith("RTSP/"):
        if len(words) < 2 or not (words[1].isascii() and words[1].isdecimal() and len(words[1]) == 3):
            raise MessageError("a reply without a status")
        return Message(status=int(words[1]), reason=words[2] if len(words) > 2 else "")
    return Message(method=words[0])
