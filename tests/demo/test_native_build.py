"""The compiled modules: made from a checkout, used while they fit it, and never in the way."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from beholden import native

ROOT = Path(__file__).parents[2]
TINY = '''"""One function, and one it imports."""

from beholden.step import STEP


def count(numbers: list[int]) -> int:
    """Their sum and a step."""
    total = STEP
    for number in numbers:
        total += number
    return total
'''
ASK = """
from beholden import native
import beholden.tiny
print(beholden.tiny.count([1, 2]), type(beholden.tiny.count).__name__, native.why(), sep="|")
"""


@pytest.fixture(scope="module")
def builder() -> Any:
    """native_build.py of this checkout."""
    sys.path.insert(0, str(ROOT))
    try:
        import native_build
    finally:
        sys.path.remove(str(ROOT))
    return native_build


def _package(root: Path) -> Path:
    """A checkout whose only compiled module is a tiny one."""
    package = root / "src" / "beholden"
    package.mkdir(parents=True)
    shutil.copyfile(ROOT / "src" / "beholden" / "__init__.py", package / "__init__.py")
    text = (ROOT / "src" / "beholden" / "native.py").read_text()
    text = re.sub(r"(?s)MODULES = \(.*?\n\)", 'MODULES = ("beholden.tiny",)', text)
    (package / "native.py").write_text(text)
    (package / "tiny.py").write_text(TINY)
    (package / "step.py").write_text("STEP = 1\n")
    (package / "other.py").write_text("")
    return package


@pytest.fixture(scope="module")
def made(builder: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkout, compiled."""
    missing = builder.lacking()
    if missing:
        pytest.skip(missing)
    root = tmp_path_factory.mktemp("made")
    _package(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(builder.OFF, raising=False)
        assert builder.build(root) == ""
    return root


@pytest.fixture
def checkout(made: Path, tmp_path: Path) -> Path:
    """A copy to be spoiled, with the times of its files."""
    return Path(shutil.copytree(made, tmp_path / "checkout"))


def _ask(root: Path, program: str = ASK, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BEHOLDEN_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=kept | {"PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return done.stdout.strip()


def test_modules_that_fit_are_used(checkout: Path) -> None:
    """The function is machine code, and nothing is missing."""
    assert _ask(checkout) == "4|builtin_function_or_method|"


def test_a_source_with_a_new_time_alone_still_fits(checkout: Path) -> None:
    """A checkout that came back to the same content needs no compiling."""
    os.utime(checkout / "src" / "beholden" / "tiny.py", (1, 1))
    os.utime(checkout / "src" / "beholden" / "step.py", (1, 1))
    assert _ask(checkout) == "4|builtin_function_or_method|"


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [("tiny.py", TINY.replace("total = STEP", "total = 9   "), "12"), ("step.py", "STEP = 5\n", "8")],
)
def test_an_edited_source_wins(checkout: Path, file: str, text: str, told: str) -> None:
    """Of the module, or of what it imports, and of the same length: Python reads what is written now."""
    (checkout / "src" / "beholden" / file).write_text(text)
    count, kind, why = _ask(checkout).split("|")
    assert (count, kind) == (told, "function")
    assert "other sources" in why


def test_other_files_are_of_no_account(checkout: Path) -> None:
    """What the modules do not import may change."""
    (checkout / "src" / "beholden" / "other.py").write_text("x = 1\n")
    assert _ask(checkout).split("|")[1] == "builtin_function_or_method"


@pytest.mark.parametrize("switch", native.OFF)
def test_a_switch_asks_for_python(checkout: Path, switch: str) -> None:
    """Either of the two, and it is said."""
    assert _ask(checkout, **{switch: "1"}) == f"4|function|{switch}=1 asks for Python code."


def test_none_at_all_is_said(checkout: Path) -> None:
    """As in a wheel: a sentence and the Python code."""
    shutil.rmtree(checkout / "src" / "beholden" / native.FOLDER)
    count, kind, why = _ask(checkout).split("|")
    assert (count, kind) == ("4", "function")
    assert "No modules are compiled" in why


@pytest.mark.parametrize("size", ["cut", "whole"])
def test_a_spoiled_library_costs_only_cpu(checkout: Path, size: str) -> None:
    """Cut by a full disk, or of another machine: Python code and a sentence."""
    (library,) = checkout.glob(f"src/beholden/{native.FOLDER}/*/{native.LIBRARY}*")
    length = library.stat().st_size
    library.write_bytes(b"\x7fELF" if size == "cut" else b"\x7fELF".ljust(length, b"x"))
    count, kind, why = _ask(checkout).split("|")
    assert (count, kind) == ("4", "function")
    assert ("other sources" if size == "cut" else "cannot be loaded") in why


def test_they_are_made_once(builder: Any, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Again only when something has changed; the switch removes them."""
    monkeypatch.delenv(builder.OFF, raising=False)
    folder = checkout / "src" / "beholden" / native.FOLDER
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert builder.state(checkout)[0] == 0
    assert builder.build(checkout) == ""
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    (checkout / "src" / "beholden" / "step.py").write_text("STEP = 2\n")
    assert builder.state(checkout)[0] == 1
    monkeypatch.setenv(builder.OFF, "1")
    assert builder.state(checkout)[0] == 3
    assert builder.build(checkout) == ""
    assert not folder.exists()


def test_what_is_missing_is_told_in_a_sentence(
    builder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a compiler nothing fails."""
    _package(tmp_path)
    monkeypatch.delenv(builder.OFF, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    told = builder.build(tmp_path)
    assert told.startswith("There is no C compiler, so the recorder interprets")
    assert builder.state(tmp_path) == (3, "There is no C compiler.")


def test_modules_that_cannot_be_compiled_are_left(
    builder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What mypy said is told, and no half of them stays."""
    if builder.lacking():
        pytest.skip(builder.lacking())
    package = _package(tmp_path)
    (package / "tiny.py").write_text("def broken(number: int) -> str:\n    return number\n")
    monkeypatch.delenv(builder.OFF, raising=False)
    told = builder.build(tmp_path)
    assert told.startswith("Compiling the modules failed")
    assert "Incompatible return value" in told
    assert not (package / native.FOLDER).exists()


def test_every_listed_module_exists_and_what_it_imports_is_watched(builder: Any) -> None:
    """A renamed file would be missed by nobody else: Python would read it."""
    watched = set(builder.sources(ROOT, native.MODULES))
    for name in native.MODULES:
        assert Path(*name.split(".")[1:]).with_suffix(".py") in watched
    assert {
        Path("__init__.py"),
        Path("native.py"),
        Path("model/camera.py"),
        Path("ingest/source.py"),
    } <= watched
    assert len(set(native.MODULES)) == len(native.MODULES)


def test_compiled_classes_derive_from_nothing_foreign(builder: Any) -> None:
    """mypyc compiled a class derived from `threading.Thread` to one release too many of an object: a crash,
    later and elsewhere. What it does well is derived from each other, and these."""
    trees = [ast.parse(builder._file(ROOT, name).read_bytes()) for name in native.MODULES]
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    known = {node.name for node in classes} | {"NamedTuple", "Protocol", "enum.IntEnum", "enum.IntFlag"}
    known.add("FileOwner")  # a Protocol too
    assert {ast.unparse(base) for node in classes for base in node.bases} <= known
    assert len(classes) > 20


def test_this_checkout_reads_cameras_with_what_set_up_made(builder: Any) -> None:
    """A process has all of them as machine code, and says so."""
    if builder.state(ROOT)[0]:
        pytest.skip(builder.state(ROOT)[1])
    program = (
        "import importlib; from beholden import native; from beholden.ingest.hot_path import hot_path;"
        "found = [importlib.import_module(name) for name in native.MODULES];"
        "print(all(native.FOLDER in module.__file__ for module in found), hot_path())"
    )
    told = _ask(ROOT, program)
    assert told.startswith("True HotPath(compiled=True") or "C compiler" in told
