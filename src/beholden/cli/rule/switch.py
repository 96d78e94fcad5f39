"""`beholden rule on` and `beholden rule off`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from beholden.cli.options import Data, RuleNumber
from beholden.cli.output import say
from beholden.model.time import SystemClock


def on(
    data: Data,
    rule: RuleNumber,
    untested: Annotated[
        bool, typer.Option("--untested", help="Though it was not back-tested as it is now.")
    ] = False,
) -> None:
    """Switch a rule on that was back-tested."""
    _switch(data, rule, enabled=True, untested=untested)
    say(f"Rule {rule} is on.")


def off(data: Data, rule: RuleNumber) -> None:
    """Switch a rule off."""
    _switch(data, rule, enabled=False, untested=False)
    say(f"Rule {rule} is off.")


def _switch(data: Path, rule: int, *, enabled: bool, untested: bool) -> None:
    from beholden.catalog import rules
    from beholden.cli import opening

    with opening.existing(data) as site, site.catalog.write() as conn:
        now_ms = SystemClock().now_ms()
        rules.change(conn, now_ms, rule, {"enabled": enabled}, by=opening.operator(), untested=untested)
