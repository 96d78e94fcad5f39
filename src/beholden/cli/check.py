"""`beholden check`."""

from __future__ import annotations

from typing import Annotated

import typer

from beholden.cli.options import Data, Json
from beholden.cli.output import print_json, print_table, say, size
from beholden.model.errors import BeholdenError

EXIT_FOUND = 1


def check(
    data: Data,
    depth: Annotated[str, typer.Option(help="presence (names), size, or hash (reads every byte).")] = "size",
    json: Json = False,
) -> None:
    """Hold the catalog against the files. Changes nothing; exit code 1 when something is wrong."""
    from beholden.catalog import segments
    from beholden.cli import opening
    from beholden.cli.progress import progress
    from beholden.model.time import SystemClock
    from beholden.run.check import Depth, Tally
    from beholden.run.check import check as run_check

    if depth not in list(Depth):
        raise BeholdenError("bad_depth", f"{depth!r} is not a depth.", f"Choose of {', '.join(Depth)}.")
    tally = Tally()
    with opening.existing(data) as site:
        with site.catalog.read() as conn:
            total = segments.count(conn)
        with progress("Looking at files", total) as on_file:
            findings = list(run_check(site.catalog, Depth(depth), SystemClock().now_ms(), tally, on_file))
    if json:
        found = [
            {"fault": item.fault.value, "path": str(item.path), "detail": item.detail, "remedy": item.remedy}
            for item in findings
        ]
        print_json({"depth": depth, "files": tally.files, "bytes": tally.bytes, "findings": found})
    else:
        say(f"Looked at {tally.files} files ({size(tally.bytes)}), depth {depth}.")
        print_table(
            ("FAULT", "FILE", "WHAT", "REMEDY"),
            ((item.fault.value, str(item.path), item.detail, item.remedy) for item in findings),
            empty="Nothing is wrong.",
        )
    if findings:
        raise typer.Exit(EXIT_FOUND)
