"""The reference page of the command line and the commands keep in step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from beholden.cli.app import app
from beholden.run.settings import PREFIX, Settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "cli.md").read_text()
SECTIONS = {
    part.partition("\n")[0].strip("` "): part.partition("\n")[2]
    for part in re.split(r"^## ", PAGE, flags=re.M)[1:]
}


def _commands(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    if hasattr(node, "commands"):
        for name, below in node.commands.items():
            yield from _commands(below, f"{path} {name}")
    else:
        yield path, node


COMMANDS = dict(_commands(typer.main.get_command(app), "beholden"))


def test_every_command_has_its_section_and_every_section_its_command() -> None:
    """Nothing undocumented, nothing documented that is not there."""
    assert {name for name in SECTIONS if name.startswith("beholden")} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented_and_every_documented_option_exists(name: str) -> None:
    """Both ways, for each command."""
    options = {
        word
        for parameter in COMMANDS[name].params
        for word in [*parameter.opts, *parameter.secondary_opts]
        if word.startswith("--")
    }
    rows = "\n".join(line for line in SECTIONS[name].splitlines() if line.startswith("| `--"))
    documented = set(
        re.findall(r"`(--[a-z-]+)", "\n".join(row.rsplit("|", 2)[0] for row in rows.splitlines()))
    )
    assert documented == options


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str) -> None:
    """In its help, for each option too."""
    assert COMMANDS[name].help
    assert [item.name for item in COMMANDS[name].params if not getattr(item, "help", None)] == []


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    """By its name in the file and in the environment."""
    rows = SECTIONS["Settings"]
    assert set(re.findall(rf"{PREFIX}([A-Z_]+)", rows)) == {name.upper() for name in Settings.model_fields}
    for name in set(Settings.model_fields) - {"data"}:
        assert f"`{name}`" in rows
