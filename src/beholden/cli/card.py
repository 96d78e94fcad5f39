"""`beholden card`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beholden.cli.options import CameraName, Data, Json
from beholden.cli.output import print_json, print_table

if TYPE_CHECKING:
    from beholden.model.verdict import Share


def card(data: Data, camera: CameraName, json: Json = False) -> None:
    """How well a camera's reports do, by what people said of them."""
    from beholden.catalog import cameras, rules, verdicts
    from beholden.cli import opening

    with opening.existing(data) as site, site.catalog.read() as conn:
        rows, names = verdicts.card(conn, cameras.find(conn, camera)), rules.names(conn)
    if json:
        shown = [
            {
                "class": row.kind.value,
                "rule": names.get(row.rule) if row.rule is not None else None,
                "right": row.right,
                "wrong": row.wrong,
                "missed": row.missed,
                "precision": _as_json(row.precision),
                "recall": _as_json(row.recall),
            }
            for row in rows
        ]
        print_json({"rows": shown})
        return
    print_table(
        ("CLASS", "RULE", "RIGHT", "WRONG", "MISSED", "PRECISION", "RECALL"),
        (
            (
                row.kind.value,
                names.get(row.rule, "") if row.rule is not None else "(in view)",
                str(row.right),
                str(row.wrong),
                str(row.missed),
                _in_words(row.precision),
                _in_words(row.recall),
            )
            for row in rows
        ),
        empty="Nobody has said of an event of this camera whether it was right.",
    )


def _as_json(share: Share | None) -> dict[str, Any] | None:
    if share is None:
        return None
    low, high = share.interval()
    return {"value": round(share.value, 4), "low": round(low, 4), "high": round(high, 4), "of": share.of}


def _in_words(share: Share | None) -> str:
    """``0.80 (0.49 to 0.94, of 10)``."""
    if share is None:
        return "not known"
    low, high = share.interval()
    return f"{share.value:.2f} ({low:.2f} to {high:.2f}, of {share.of})"
