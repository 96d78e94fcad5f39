"""Compiled modules: what the recorder does for every picture, as machine code from the same Python source.

``native_build.py`` of a checkout compiles ``MODULES`` with mypyc into a folder of ``.native``. They are used
only while every source they were compiled with is as it was; otherwise, and with ``BEHOLDEN_PURE_PYTHON=1``
or ``BEHOLDEN_INTERPRETED=1``, Python reads the sources themselves, which do the same and cost more.

Every process imports this first, so it imports next to nothing.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec

# A class in these derives from another of these, or from NamedTuple, Protocol or an enum: one derived from
# threading.Thread was compiled to a crash.
MODULES = (
    "beholden.model.media",
    "beholden.model.segment",
    "beholden.ingest.clock",
    "beholden.ingest.feed",
    "beholden.ingest.rtsp",
    "beholden.ingest.session",
    "beholden.ingest.status",
    "beholden.ingest.rtp.aac",
    "beholden.ingest.rtp.audio",
    "beholden.ingest.rtp.av1",
    "beholden.ingest.rtp.compiled",
    "beholden.ingest.rtp.fragmented",
    "beholden.ingest.rtp.h264",
    "beholden.ingest.rtp.h265",
    "beholden.ingest.rtp.jpeg",
    "beholden.ingest.rtp.mjpeg",
    "beholden.ingest.rtp.opus",
    "beholden.ingest.rtp.packet",
    "beholden.ingest.rtp.pcm",
    "beholden.ingest.rtp.video",
    "beholden.record.fmp4.write",
    "beholden.record.prelude",
    "beholden.record.relay",
    "beholden.record.segment",
    "beholden.record.stream",
)
GROUP = "beholden_native"
LIBRARY = f"{GROUP}__mypyc"  # the code of all of them; their own files only point into it
PURE = "BEHOLDEN_PURE_PYTHON"  # of the C libraries too
OFF = (PURE, "BEHOLDEN_INTERPRETED")
FOLDER = ".native"
MANIFEST = "manifest"
SUFFIX = EXTENSION_SUFFIXES[0]  # names the Python and the machine

_NONE = "No modules are compiled; scripts/setup does it where Python's headers and a C compiler are."
_OTHER = "The compiled modules are of other sources; scripts/setup compiles them anew."


class Finder:
    """Finds the compiled modules of one folder, and leaves everything else to Python's own finders."""

    def __init__(self, folder: str) -> None:
        self._paths = {name: os.path.join(folder, file_of(name)) for name in (LIBRARY, *MODULES)}

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        """The compiled module of that name, if there is one that can be loaded."""
        place = self._paths.get(name)
        if place is None or not os.path.exists(place) or (name != LIBRARY and not self._can_load()):
            return None
        spec = ModuleSpec(name, ExtensionFileLoader(name, place), origin=place)
        spec.has_location = True
        return spec

    def _can_load(self) -> bool:
        if not _state.why and LIBRARY not in sys.modules:
            try:
                __import__(LIBRARY)
            except (ImportError, SystemError) as error:
                _state.why = f"The compiled modules cannot be loaded: {error}."
        return not _state.why


class _State:
    why = _NONE


_state = _State()


def install(package: str) -> None:
    """From now on, find the compiled modules of this package (the folder it lies in) if they may be used."""
    folder, _state.why = choose(package)
    if folder:
        sys.meta_path.insert(0, Finder(folder))


def file_of(name: str) -> str:
    """Where a compiled module lies in its folder."""
    return name.replace(".", "/") + SUFFIX


def why() -> str:
    """Why this process does not use the compiled modules, in a sentence; "" if it uses all of them."""
    for name in MODULES:
        spec = sys.modules[name].__spec__ if name in sys.modules else None
        if not _state.why and spec is not None and not isinstance(spec.loader, ExtensionFileLoader):
            return "Not all of the compiled modules could be loaded; scripts/setup compiles them anew."
    return _state.why


def choose(package: str) -> tuple[str, str]:
    """The folder that fits this package's sources and ""; else "" and why there is none."""
    for name in OFF:
        if os.environ.get(name) == "1":
            return "", f"{name}=1 asks for Python code."
    try:
        folders = sorted(os.listdir(os.path.join(package, FOLDER)))
    except OSError:
        return "", _NONE
    for folder in folders:
        place = os.path.join(package, FOLDER, folder)
        if fits(package, place):
            return place, ""
    return "", _OTHER if folders else _NONE


def fits(package: str, folder: str) -> bool:
    """Whether the folder has everything, for this Python, of the sources as they are now.

    A line of its manifest is "source SHA-256 SIZE MTIME_NS PATH", or "built SUFFIX SIZE 0 PATH". A source is
    read only when its time has changed.
    """
    try:
        with open(os.path.join(folder, MANIFEST), encoding="utf-8") as manifest:
            lines = [line.rstrip("\n").split(" ", 4) for line in manifest]
        return bool(lines) and all(
            _is_source(os.path.join(package, name), int(size), int(changed), digest)
            if kind == "source"
            else digest == SUFFIX and os.stat(os.path.join(folder, name)).st_size == int(size)
            for kind, digest, size, changed, name in lines
        )
    except (OSError, ValueError):
        return False


def _is_source(path: str, size: int, changed: int, digest: str) -> bool:
    found = os.stat(path)
    if found.st_size != size:
        return False
    if found.st_mtime_ns == changed:
        return True
    import hashlib

    with open(path, "rb") as source:
        return hashlib.sha256(source.read()).hexdigest() == digest
