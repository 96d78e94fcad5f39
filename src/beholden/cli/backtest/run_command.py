"""`beholden backtest run`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from beholden.cli.options import CameraName, Data, Json
from beholden.model.backtest import BacktestState
from beholden.model.time import SystemClock

if TYPE_CHECKING:
    from beholden.catalog.backtests import Backtest
    from beholden.run.first_start import OpenSite

_POLL_SECONDS = 0.5
_OPEN = (BacktestState.QUEUED, BacktestState.RUNNING)


def run(
    data: Data,
    camera: CameraName,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="From when: RFC 3339, or 2h, 3d ago.")],
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Until when; without it, until now.")
    ] = None,
    rule: Annotated[
        str | None, typer.Option(metavar="RULE", help="By name or number; without it, all objects in view.")
    ] = None,
    model: Annotated[str, typer.Option(metavar="NAME", help="Another detector model.")] = "",
    decode: Annotated[
        bool, typer.Option("--decode", help="Look at the footage again, even where boxes are stored.")
    ] = False,
    json: Json = False,
) -> None:
    """Try a rule, or a model, on recorded footage, and show what it would have reported.

    While the system runs its own worker does it, else this command. Ctrl-C leaves it to go on, or to be gone
    on with by the next `beholden run` or `beholden backtest run`.
    """
    from beholden.catalog import backtests, cameras, places, rules
    from beholden.catalog.backtests import Trial
    from beholden.cli import opening
    from beholden.cli.backtest.show import print_one
    from beholden.cli.events import parse_since

    now_ms = SystemClock().now_ms()
    from_ms, to_ms = parse_since(start, now_ms), parse_since(end, now_ms) if end else now_ms
    with opening.existing(data) as site:
        with site.catalog.write() as conn:
            camera_id = cameras.find(conn, camera)
            found = rules.get(conn, rules.find(conn, camera_id, rule)) if rule is not None else None
            place = places.get(conn, found.place) if found is not None and found.place is not None else None
            ground, source = places.ground(conn, camera_id), "decode" if decode else ""
            trial = Trial(found, place, ground, model, source)
            by = opening.operator()
            asked = backtests.add(conn, now_ms, camera_id, trial, from_ms, to_ms, by, stored=True)
        _follow(site, asked)
        with site.catalog.read() as conn:
            print_one(conn, asked.id, as_json=json)
            if backtests.get(conn, asked.id).state is not BacktestState.DONE:
                raise typer.Exit(1)


def _follow(site: OpenSite, asked: Backtest) -> None:
    """Until it has ended, working on what waits whenever nobody else does."""
    from beholden.analyse import backtest_process
    from beholden.catalog import backtests
    from beholden.run import lock

    def going() -> bool:
        with site.catalog.read() as conn:
            now = backtests.get(conn, asked.id)
        _tell(now)
        return now.state in _OPEN

    try:
        while going():
            if not lock.is_running(site.data_dir):
                backtest_process.work(site.data_dir, site.catalog, SystemClock(), going)
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        with site.catalog.write() as conn:
            backtests.release(conn, asked.id)
        raise


def _tell(now: Backtest) -> None:
    if sys.stderr.isatty():
        share = (now.done_ms - now.from_ms) / max(now.to_ms - now.from_ms, 1)
        print(f"\r{share:6.1%} {now.state.value}", end="", file=sys.stderr, flush=True)  # noqa: T201
