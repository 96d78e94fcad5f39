"""The troubleshooting page and the code say the same: every text of these rooms is on the page, and no other.

To cover another room, add it to ``ROOMS``; the test then names the entries the page lacks.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guide" / "troubleshooting.md"
ROOMS = ("ingest", "record", "store", "run", "catalog/catalog.py", "catalog/secrets.py")
_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def _text(node: ast.AST) -> str:
    """A text as the page has it, … for what differs from case to case; empty for what is no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "…" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        return (left or "…") + (right or "…") if left or right else ""
    return ""


def told_in(source: str) -> Iterator[tuple[str, str]]:
    """(code, text) of every call that is given a code and, after it, a sentence."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        for code, message in itertools.pairwise(given):
            if isinstance(code, ast.Constant) and isinstance(code.value, str) and _CODE.fullmatch(code.value):
                text = _text(message).strip()
                if " " in text and text.endswith((".", "…")):
                    yield code.value, text


def _files(room: str) -> list[Path]:
    place = ROOT / "src" / "beholden" / room
    return [place] if place.suffix else sorted(place.rglob("*.py"))


def _told() -> set[tuple[str, str]]:
    return {each for room in ROOMS for path in _files(room) for each in told_in(path.read_text())}


def _entries() -> dict[str, str]:
    found = re.split(r"^### `([a-z0-9_]+)`\n", PAGE.read_text(), flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def _quoted(entry: str) -> list[str]:
    return [line[2:] for line in entry.splitlines() if line.startswith("> ")]


def test_every_text_has_its_entry() -> None:
    """With the exact words, under its code."""
    entries = _entries()
    missing = sorted(each for each in _told() if each[1] not in _quoted(entries.get(each[0], "")))
    assert missing == []


def test_the_page_has_no_text_that_is_not_told() -> None:
    """A text that was changed or removed in the code does not stay behind."""
    told = _told()
    stale = sorted(
        (code, text)
        for code, entry in _entries().items()
        for text in _quoted(entry)
        if (code, text) not in told
    )
    assert stale == []


def test_every_entry_says_why_and_what_to_do() -> None:
    """In whole sentences."""
    for code, entry in _entries().items():
        assert _quoted(entry), code
        for part in ("**Why.** ", "**What to do.** "):
            assert part in entry, code
            assert entry.partition(part)[2].partition("\n")[0].endswith("."), code


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('fail("no_disk", f"The disk {name} is gone.", "Mount it.")', [("no_disk", "The disk … is gone.")]),
        ('Error(code="no_disk", message="It " + what + " is gone.")', [("no_disk", "It … is gone.")]),
        ('log.info("no_disk", "word")', []),
        ('fail("No Disk", "The disk is gone.")', []),
    ],
)
def test_texts_are_found_however_they_are_written(source: str, found: list[tuple[str, str]]) -> None:
    """Constants, f-strings and sums; and nothing that is not a code with a sentence."""
    assert list(told_in(source)) == found
