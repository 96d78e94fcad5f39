"""`beholden hold add`."""

from __future__ import annotations

from typing import Annotated

import typer

from beholden.cli.options import Data, Json
from beholden.cli.output import print_json, say

ALL = "all"


def add(
    data: Data,
    camera: Annotated[str, typer.Argument(metavar="CAMERA", help="Its name or number, or 'all'.")],
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="From when: RFC 3339, or 2h, 3d ago.")],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="Until when: RFC 3339, or 2h, 3d ago.")],
    reason: Annotated[str, typer.Option(help="Why it must not be deleted.")],
    json: Json = False,
) -> None:
    """Hold footage: no rule deletes it until the hold is released. Who did it and why is journalled."""
    from beholden.catalog import cameras, holds
    from beholden.cli import opening
    from beholden.cli.events import parse_since
    from beholden.cli.hold.list_command import as_json
    from beholden.model.time import SystemClock

    now_ms = SystemClock().now_ms()
    start_ms, end_ms = parse_since(start, now_ms), parse_since(end, now_ms)
    with opening.existing(data) as site, site.catalog.write() as conn:
        number = None if camera == ALL else cameras.find(conn, camera)
        made = holds.add(conn, now_ms, number, start_ms, end_ms, reason, by=opening.operator())
    if json:
        print_json(as_json(made))
    else:
        say(f"Hold {made.id} stands. `beholden hold release {made.id}` ends it.")
