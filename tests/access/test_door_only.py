"""The tree is read: only the door makes passes and writes looks, and who serves bytes asks for one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import beholden

SOURCE = Path(beholden.__file__).parent
DOOR = SOURCE / "access" / "door.py"


def calls(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(what it is called on, name) of every call in a module."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name):
            yield "", node.func.id
        elif isinstance(node.func, ast.Attribute):
            yield ast.unparse(node.func.value), node.func.attr


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Every module of the product."""
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_only_the_door_constructs_a_pass() -> None:
    """``Pass(…)`` and the private token that it asks for occur in door.py alone."""
    for path, tree in modules():
        if path == DOOR:
            continue
        assert "Pass" not in {name for _, name in calls(tree)}, path
        names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names |= {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
        }
        assert "_DOOR" not in names, path


def test_only_the_door_writes_looks() -> None:
    """``catalog.looks.append`` is called in door.py alone, and nothing else inserts into the table."""
    for path, tree in modules():
        if path in (DOOR, SOURCE / "catalog" / "looks.py"):
            continue
        found = {(on, name) for on, name in calls(tree) if on == "looks" or on.endswith(".looks")}
        assert "append" not in {name for _, name in found}, path
        assert "look.insert" not in path.read_text(encoding="utf-8"), path


def test_web_code_reads_files_only_with_a_pass() -> None:
    """In the web room every function that hands a file's bytes to a browser has first been given a pass.

    ``FileResponse`` is made, and ``read``/conversion functions are called, only in functions that also
    open the door or are handed what it gave (``leave`` or a call that enters it).
    """
    path = SOURCE / "web" / "media.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    serving = 0
    for node in ast.walk(tree):
        if not isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
            continue
        called = {name for on, name in calls(node) if not on.endswith("catalog")}
        if not called & {"FileResponse", "SpanContent", "StreamingResponse", "still_at", "piece", "read"}:
            continue
        serving += 1
        assert called & {"_open", "_enter_file", "_enter_span", "open"}, (
            f"{node.name} serves bytes without the door"
        )
    assert serving >= 5


# Where footage becomes bytes for a person. A new one belongs on this list, and takes a pass.
SERVING = (
    ("play/conversions.py", "piece"),
    ("play/still.py", "still_at"),
    ("play/mp4.py", "read"),
    ("live/session.py", "run|serve"),
    ("web/camera_trial.py", "run"),
)
# What turns files into bytes.
READERS = {"read_bytes", "pread", "sendfile", "decode_key", "read_fragments"}


@pytest.mark.parametrize(("file", "name"), SERVING)
def test_functions_that_serve_footage_take_a_pass_and_look_at_it(file: str, name: str) -> None:
    """A parameter ``leave``, and ``leave.require(…)`` for this camera, before anything else is done."""
    tree = ast.parse((SOURCE / file).read_text(encoding="utf-8"))
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in name.split("|")
    ]
    assert found, f"{file} has no {name}: correct the list"
    for node in found:
        arguments = {argument.arg for argument in [*node.args.args, *node.args.kwonlyargs]}
        assert "leave" in arguments, f"{file}: {name} takes no pass"
        assert ("leave", "require") in set(calls(node)), f"{file}: {name} does not look at its pass"


def test_nothing_else_in_the_web_room_reads_footage() -> None:
    """Only the range responder and the trial touch bytes; both stand behind the door."""
    for path in sorted((SOURCE / "web").rglob("*.py")):
        if path.name in ("ranges.py", "camera_trial.py", "spa.py"):
            continue
        used = {name for _, name in calls(ast.parse(path.read_text(encoding="utf-8")))} & READERS
        assert used == set(), path
