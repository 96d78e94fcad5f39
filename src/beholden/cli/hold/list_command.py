"""`beholden hold list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from beholden.cli.options import Data, Json
from beholden.cli.output import print_json, print_table

if TYPE_CHECKING:
    from beholden.catalog.holds import Hold


def list_holds(
    data: Data,
    released: Annotated[bool, typer.Option("--released", help="Released ones too.")] = False,
    json: Json = False,
) -> None:
    """List the holds that stand, newest first."""
    from beholden.catalog import cameras, holds
    from beholden.cli import opening
    from beholden.model.time import to_rfc3339

    with opening.existing(data) as site, site.catalog.read() as conn:
        found = [each for each in holds.all_holds(conn) if released or each.released_ms is None]
        names = cameras.names(conn)
    if json:
        print_json({"holds": [as_json(each) for each in found]})
        return
    print_table(
        ("", "CAMERA", "FROM", "TO", "REASON", "BY", "RELEASED BY"),
        (
            (
                str(each.id),
                "all" if each.camera is None else names.get(each.camera, str(each.camera)),
                to_rfc3339(each.from_ms),
                to_rfc3339(each.to_ms),
                each.reason,
                each.created_by,
                each.released_by or "-",
            )
            for each in found
        ),
        empty="Nothing is held.",
    )


def as_json(each: Hold) -> dict[str, Any]:
    """As the API shows it."""
    from beholden.model.time import to_rfc3339

    return {
        "id": each.id,
        "camera": each.camera,
        "from": to_rfc3339(each.from_ms),
        "to": to_rfc3339(each.to_ms),
        "reason": each.reason,
        "created": to_rfc3339(each.created_ms),
        "created_by": each.created_by,
        "released": None if each.released_ms is None else to_rfc3339(each.released_ms),
        "released_by": each.released_by,
    }
