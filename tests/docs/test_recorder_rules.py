"""Every rule of the recorder names tests that break it on purpose, and those tests exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(
    r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|$",
    (ROOT / "docs" / "design" / "recorder.md").read_text(),
    re.MULTILINE,
)


def test_all_sixteen_rules_are_there() -> None:
    """In order, none twice."""
    assert [int(number) for number, _, _ in ROWS] == list(range(1, 17))


@pytest.mark.parametrize(("number", "rule", "tests"), ROWS, ids=[row[0] for row in ROWS])
def test_the_tests_of_a_rule_exist(number: str, rule: str, tests: str) -> None:
    """By file and name."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", tests)
    assert named, f"rule {number} ({rule}) names no test"
    for file, name in named:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), (file, name)
