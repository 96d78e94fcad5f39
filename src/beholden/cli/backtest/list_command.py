"""`beholden backtest list`."""

from __future__ import annotations

from beholden.cli.backtest.show import in_words, summary
from beholden.cli.options import Data, Json
from beholden.cli.output import print_json, say


def list_backtests(data: Data, json: Json = False) -> None:
    """List back-tests, newest first."""
    from beholden.catalog import backtests
    from beholden.cli import opening

    with opening.existing(data) as site, site.catalog.read() as conn:
        found = backtests.page(conn)
    if json:
        print_json({"backtests": [summary(item) for item in found]})
        return
    for item in found:
        say(in_words(item))
    if not found:
        say("There are no back-tests yet.")
