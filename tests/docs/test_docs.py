"""Documents keep their promises: links lead somewhere, records have their parts, nothing foreign slips in."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {".venv", "node_modules", ".cache"} & set(path.relative_to(ROOT).parts)
)
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
# Hosts of package registries: mirrors differ from place to place, so no file may name one.
HOSTS = ["pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "npmjs" + ".com", "deb.debian" + ".org"]


def tracked() -> list[Path]:
    """Files git would carry, or every file when this is no checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and picture of a page exists."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_decision_records_are_numbered_in_a_row() -> None:
    """No number is missing or used twice."""
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("record", DECISIONS, ids=lambda path: path.name)
def test_decision_records_have_their_parts(record: Path) -> None:
    """Status, Context, Decision, Consequences, and when to think again."""
    text = record.read_text()
    assert text.startswith(f"# {int(record.name[:4])}. ")
    for part in ("**Status:**", "## Context", "## Decision", "## Consequences", "## Revisit when"):
        assert part in text, part


def test_glossary_is_in_order() -> None:
    """A dictionary is found by its order."""
    text = (ROOT / "docs" / "reference" / "glossary.md").read_text()
    words = [word.lower() for word in re.findall(r"^\| \*\*(.+?)\*\*", text, re.MULTILINE)]
    assert len(words) > 30
    assert words == sorted(words)


def test_no_file_names_a_registry_host() -> None:
    """Packages are named by name; where they come from is the user's own setting."""
    found = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in tracked()
        for host in HOSTS
        if host.encode() in path.read_bytes()
    ]
    assert found == []


def test_every_source_room_has_a_design_page() -> None:
    """A newcomer finds a page for each room (several rooms may share one)."""
    text = "\n".join(path.read_text() for path in (ROOT / "docs" / "design").glob("*.md"))
    rooms = [path.name for path in (ROOT / "src" / "beholden").iterdir() if (path / "__init__.py").exists()]
    assert len(rooms) >= 10
    assert [room for room in rooms if f"`{room}/" not in text and f"`beholden.{room}" not in text] == []
