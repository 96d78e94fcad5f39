"""Compiles the recorder's innermost modules for this checkout: ``python native_build.py``.

mypyc translates the modules that ``src/beholden/native.py`` names to C, and the system's C compiler makes one
folder of extension modules from it, which ``native.py`` uses while no source has changed. It takes about
half a minute, and only when something has changed. Needs Python's headers, a C compiler, mypy and setuptools;
whatever is missing or fails costs CPU and nothing else. Wheels carry none: they serve any Python.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from hatch_build import OFF, system_compiler

PACKAGE = Path("src/beholden")
WITHOUT = "the recorder interprets its modules, which records the same and needs a quarter more CPU"
OPTIMISE = "1"  # what is beyond takes half as long again to compile and runs no faster
SECONDS = 1200
_SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup
options, group, level, *paths = sys.argv[1:]
made = mypycify(["--config-file", options, *paths], opt_level=level, debug_level="0", group_name=group)
words = ["-q", "build_ext", "--build-lib", "made", "-j2"]
setup(name="native", packages=[], ext_modules=made, script_args=words)
"""
_OPTIONS = """[mypy]
mypy_path = {source}
cache_dir = cache
follow_imports = silent
ignore_missing_imports = true
no_site_packages = true
"""
_TRY = """
import importlib
from beholden import native
for name in native.MODULES:
    importlib.import_module(name)
print(native.why(), end="")
"""


class CannotCompileError(Exception):
    """Why there are no compiled modules, as the beginning of a sentence."""


def build(root: Path) -> str:
    """Compile the modules unless nothing has changed; "" or a sentence that says why they are interpreted."""
    native = finder(root)
    place = root / PACKAGE / native.FOLDER
    if os.environ.get(OFF) == "1":
        shutil.rmtree(place, ignore_errors=True)
        return ""
    try:
        read = sources(root, native.MODULES)
        target = _target(root, native, read)
        if native.fits(str(root / PACKAGE), str(target)):
            return ""
        lines = _source_lines(root, read)
        compiler = _ready()
        with tempfile.TemporaryDirectory() as folder:
            made = _compile(root, native, Path(folder), compiler)
            _install(native, made, target, lines)
        _try(root)
    except (CannotCompileError, OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(place, ignore_errors=True)
        return f"{error}, so {WITHOUT}."
    return ""


def lacking() -> str:
    """What this machine lacks to compile the modules, as the beginning of a sentence; "" for nothing."""
    if system_compiler() is None:
        return "There is no C compiler"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return "Python's headers are not installed (python3-dev)"
    missing = [name for name in ("mypy", "mypyc", "setuptools") if importlib.util.find_spec(name) is None]
    return f"{missing[0]} is not installed" if missing else ""


def finder(root: Path) -> ModuleType:
    """``native.py`` of this checkout, without the package around it."""
    spec = importlib.util.spec_from_file_location("native_of_checkout", root / PACKAGE / "native.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sources(root: Path, modules: Iterable[str]) -> list[Path]:
    """The modules' files and those of everything of the package they import, however far away: compiled code
    relies on the types of all of them. Relative to the package, sorted."""
    found: set[Path] = set()
    waiting = ["beholden", "beholden.native", *modules]
    while waiting:
        path = _file(root, waiting.pop())
        if path is not None and path not in found:
            found.add(path)
            waiting += _imported(path)
    return sorted(path.relative_to(root / PACKAGE) for path in found)


def _file(root: Path, module: str) -> Path | None:
    path = root / "src" / Path(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            if parts[0] == PACKAGE.name:
                yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _target(root: Path, native: ModuleType, read: Iterable[Path]) -> Path:
    """The folder of what is compiled from these sources, named by everything that decides what comes out."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update(f"{sys.version} {native.SUFFIX} {_version('mypy')} {_version('setuptools')}".encode())
    for name in read:
        digest.update(f"{name}\n".encode() + (root / PACKAGE / name).read_bytes())
    return root / PACKAGE / str(native.FOLDER) / digest.hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _ready() -> str:
    missing, compiler = lacking(), system_compiler()
    if missing or compiler is None:
        raise CannotCompileError(missing)
    return compiler


def _compile(root: Path, native: ModuleType, folder: Path, compiler: str) -> Path:
    """The folder of what was made, in ``folder``: which holds nothing that changes what mypy does."""
    print("Compiling the recorder's modules (about half a minute) …", flush=True)
    options = folder / "mypy.ini"
    options.write_text(_OPTIONS.format(source=(root / "src").resolve()))
    paths = [str(path.resolve()) for name in native.MODULES if (path := _file(root, name))]
    done = subprocess.run(
        [sys.executable, "-c", _SETUP, str(options), native.GROUP, OPTIMISE, *paths],
        cwd=folder,
        env=os.environ | {"CC": compiler},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        raise CannotCompileError(f"Compiling the modules failed ({_last_words(done.stdout)})")
    return folder / "made"


def _last_words(said: str) -> str:
    told = [line for line in said.splitlines() if "error" in line.lower()] or said.splitlines()[-1:]
    return told[0].strip()[-300:] if told else "it said nothing"


def _source_lines(root: Path, read: Iterable[Path]) -> list[str]:
    lines = []
    for name in read:
        path = root / PACKAGE / name
        status, digest = path.stat(), hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(f"source {digest} {status.st_size} {status.st_mtime_ns} {name}\n")
    return lines


def _install(native: ModuleType, made: Path, target: Path, lines: list[str]) -> None:
    """Put what was made where ``native.py`` looks, the manifest last, and remove what was there before. A
    process that runs keeps what it has loaded."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in (native.LIBRARY, *native.MODULES):
        place = native.file_of(name)
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made / place, target / place)
        lines.append(f"built {native.SUFFIX} {(target / place).stat().st_size} 0 {place}\n")
    (target / native.MANIFEST).write_text("".join(lines), encoding="utf-8")
    for other in target.parent.iterdir():
        if other != target:
            shutil.rmtree(other, ignore_errors=True)


def _try(root: Path) -> None:
    """Load all of them in a process of their own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BEHOLDEN_")}
    done = subprocess.run(
        [sys.executable, "-c", _TRY],
        env=environment | {"PYTHONPATH": str((root / "src").resolve())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    if done.returncode or done.stdout:
        raise CannotCompileError(f"The compiled modules cannot be used ({_last_words(done.stdout)})")


def state(root: Path) -> tuple[int, str]:
    """0 when the modules are compiled, 3 when they cannot be here, 1 when they could be; and a sentence."""
    if os.environ.get(OFF) == "1":
        return 3, f"{OFF}=1 asks for Python code."
    native = finder(root)
    target = _target(root, native, sources(root, native.MODULES))
    if native.fits(str(root / PACKAGE), str(target)):
        return 0, "The recorder's modules are compiled."
    missing = lacking()
    return (3, f"{missing}.") if missing else (1, "The modules are not compiled; run scripts/setup.")


def main() -> int:
    """Compile the modules of this checkout unless nothing has changed since the last time."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--state",
        action="store_true",
        help="only say whether they are compiled (exit code 0), could be (1), or cannot be (3)",
    )
    root = Path(__file__).parent
    if parser.parse_args().state:
        code, told = state(root)
        print(told)
        return code
    told = build(root)
    if told:
        print(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
