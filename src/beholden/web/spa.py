"""The pages: files built from ``ui/``, compressed beforehand, the same index for every address of the app.

They hold no data, so they are served to anybody: the sign-in page is one of them.
"""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from beholden.model.errors import BeholdenError
from beholden.web.refuse import refusal

STATIC = Path(__file__).with_name("static")
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Beholden</title></head>
<body><h1>Beholden is running</h1>
<p>Its pages have not been built in this checkout. Run <code>npm ci &amp;&amp; npm run build</code> in
<code>ui/</code>, or start with <code>./scripts/demo</code>, which does it.</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class _File:
    """One file and its compressed forms, read at start: the whole UI is a few hundred kilobytes."""

    media_type: str
    cache_control: str
    bodies: dict[str, bytes]  # by content encoding; "" as it is


class Pages:
    """Pure ASGI for everything outside the reserved paths. Only files found at start are served, by
    exact name, so no path of a request ever reaches the file system."""

    def __init__(self, directory: Path = STATIC) -> None:
        self._files = _read_files(directory)
        self._index = self._files.get("/index.html") or _not_built()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await refusal(_nothing("This address does not do that."))(scope, receive, send)
            return
        file = self._files.get(scope["path"]) or self._page(scope["path"])
        if file is None:
            await refusal(_nothing("There is no such file."))(scope, receive, send)
            return
        await _response(file, Headers(scope=scope))(scope, receive, send)

    def _page(self, path: str) -> _File | None:
        """The index for an address of the app; None for what looks like a file, so that a stale asset
        name is a plain 404 and not a page that cannot be understood as a script."""
        name = path.rpartition("/")[2]
        return None if "." in name or path.startswith("/assets/") else self._index


def _read_files(directory: Path) -> dict[str, _File]:
    files: dict[str, _File] = {}
    if not directory.is_dir():
        return files
    for path in sorted(directory.rglob("*")):
        if not path.is_file() or path.suffix in (".br", ".gz", ".map"):
            continue
        name = "/" + path.relative_to(directory).as_posix()
        bodies = {"": path.read_bytes()}
        for encoding, suffix in _ENCODINGS:
            packed = path.with_name(path.name + suffix)
            if packed.is_file():
                bodies[encoding] = packed.read_bytes()
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        if kind.startswith("text/") or kind.endswith(("javascript", "json", "svg+xml")):
            kind += "; charset=utf-8"
        hashed = name.startswith("/assets/")  # Vite puts only files with a hash in their name there
        files[name] = _File(kind, _FOREVER if hashed else _ASK_AGAIN, bodies)
    return files


def _response(file: _File, headers: Headers) -> Response:
    accepted = {part.partition(";")[0].strip() for part in headers.get("accept-encoding", "").split(",")}
    encoding = next((name for name, _ in _ENCODINGS if name in accepted and name in file.bodies), "")
    sent = {"Cache-Control": file.cache_control, "Vary": "Accept-Encoding"}
    if encoding:
        sent["Content-Encoding"] = encoding
    return Response(file.bodies[encoding], headers=sent, media_type=file.media_type)


def _not_built() -> _File:
    return _File("text/html; charset=utf-8", _ASK_AGAIN, {"": _NOT_BUILT.encode()})


def _nothing(message: str) -> BeholdenError:
    return BeholdenError("not_found", message)
