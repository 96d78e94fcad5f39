"""`beholden backtest cancel`."""

from __future__ import annotations

from beholden.cli.options import BacktestNumber, Data
from beholden.cli.output import say
from beholden.model.time import SystemClock


def cancel(data: Data, backtest: BacktestNumber) -> None:
    """Stop a back-test within a second."""
    from beholden.catalog import backtests
    from beholden.cli import opening

    with opening.existing(data) as site, site.catalog.write() as conn:
        item = backtests.cancel(conn, SystemClock().now_ms(), backtest)
    say(f"Back-test {backtest} is {item.state.value}.")
