"""`beholden rule list`."""

from __future__ import annotations

from typing import Annotated

import typer

from beholden.cli.options import Data, Json
from beholden.cli.output import print_json, print_table


def list_rules(
    data: Data,
    camera: Annotated[
        str | None, typer.Option("--camera", metavar="CAMERA", help="Only of this camera.")
    ] = None,
    json: Json = False,
) -> None:
    """List rules."""
    from beholden.catalog import cameras, places, rules
    from beholden.cli import opening

    with opening.existing(data) as site, site.catalog.read() as conn:
        wanted = cameras.find(conn, camera) if camera is not None else None
        found = [item for item in rules.all_present(conn) if wanted in (None, item.camera)]
        names, drawn = cameras.names(conn), places.names(conn)
        tested = {item.id: rules.tested(conn, item) for item in found}
    if json:
        print_json(
            {"rules": [{**rules.as_json(item), "tested": tested[item.id] is not None} for item in found]}
        )
        return
    rows = [
        (
            str(item.id),
            names.get(item.camera, str(item.camera)),
            item.name,
            item.kind.value,
            drawn.get(item.place, "") if item.place is not None else "",
            item.severity.value,
            "on" if item.enabled else "off",
            "yes" if tested[item.id] is not None else "no",
        )
        for item in found
    ]
    heads = ("ID", "CAMERA", "NAME", "KIND", "PLACE", "SEVERITY", "STATE", "TESTED")
    print_table(heads, rows, empty="There are no rules yet.")
