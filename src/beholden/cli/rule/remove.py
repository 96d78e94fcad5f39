"""`beholden rule remove`."""

from __future__ import annotations

from beholden.cli.options import Data, RuleNumber
from beholden.cli.output import say
from beholden.model.time import SystemClock


def remove(data: Data, rule: RuleNumber) -> None:
    """Remove a rule. What it reported stays."""
    from beholden.catalog import rules
    from beholden.cli import opening

    with opening.existing(data) as site, site.catalog.write() as conn:
        rules.remove(conn, SystemClock().now_ms(), rule, opening.operator())
    say(f"Removed rule {rule}.")
