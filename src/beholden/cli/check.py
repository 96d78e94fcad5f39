"""`beholden check`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from beholden.cli.options import Data, Json
from beholden.cli.output import print_json, print_table, say, size
from beholden.model.errors import BeholdenError

if TYPE_CHECKING:
    from beholden.run.check import Finding

EXIT_FOUND = 1


def check(
    data: Data,
    depth: Annotated[str, typer.Option(help="presence (names), size, or hash (reads every byte).")] = "size",
    repair: Annotated[
        bool, typer.Option("--repair", help="Do what the remedies say; what was done is journalled.")
    ] = False,
    json: Json = False,
) -> None:
    """Hold the catalog against the files of all volumes. Without --repair it changes nothing. Exit code 1
    when something is wrong, or still is after a repair."""
    from beholden.catalog import segments
    from beholden.cli import opening
    from beholden.cli.progress import progress
    from beholden.model.time import SystemClock
    from beholden.run.check import Depth, Tally
    from beholden.run.check import check as run_check
    from beholden.run.mend import mend

    if depth not in list(Depth):
        raise BeholdenError("bad_depth", f"{depth!r} is not a depth.", f"Choose of {', '.join(Depth)}.")
    tally = Tally()
    with opening.existing(data) as site:
        with site.catalog.read() as conn:
            total = segments.count(conn)
        with progress("Looking at files", total) as on_file:
            findings = list(run_check(site.catalog, Depth(depth), SystemClock().now_ms(), tally, on_file))
        left = mend(site.catalog, SystemClock(), findings, opening.operator()) if repair else findings
    if json:
        answer = {"depth": depth, "files": tally.files, "bytes": tally.bytes, "findings": _rows(left)}
        if repair:
            still = {item.path for item in left}
            answer["repaired"] = _rows([item for item in findings if item.path not in still])
        print_json(answer)
    else:
        say(f"Looked at {tally.files} files ({size(tally.bytes)}), depth {depth}.")
        print_table(
            ("FAULT", "FILE", "WHAT", "REMEDY"),
            ((item.fault.value, str(item.path), item.detail, item.remedy) for item in left),
            empty="Nothing is wrong any more." if findings else "Nothing is wrong.",
        )
        if repair and findings:
            say(f"Repaired {len(findings) - len(left)} of {len(findings)}.")
    if left:
        raise typer.Exit(EXIT_FOUND)


def _rows(findings: Sequence[Finding]) -> list[dict[str, str]]:
    return [
        {"fault": item.fault.value, "path": str(item.path), "detail": item.detail, "remedy": item.remedy}
        for item in findings
    ]
