"""`beholden model check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from beholden.cli.options import Json
from beholden.cli.output import print_json, print_table, say
from beholden.model.errors import BeholdenError

if TYPE_CHECKING:
    from beholden.analyse.detect.detector import Picture
    from beholden.model.event import Detection


def check(
    card: Annotated[Path, typer.Argument(metavar="CARD", help="The model card (TOML) beside the weights.")],
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="A picture to detect in.")] = None,
    json: Json = False,
) -> None:
    """Load a model as the analyser would, measure it on every engine, and show what it finds in a picture."""
    from beholden.analyse.detect.choice import best, measure
    from beholden.analyse.detect.engine import available
    from beholden.analyse.detect.network import Network

    engines = available()
    measured = measure(card, engines)
    chosen = best(measured)
    network = Network(card, make_engine=engines[chosen])
    found = network.detect([_read(picture)])[0] if picture is not None else []
    if json:
        print_json(
            {
                "name": network.card.name,
                "family": network.card.family,
                "licence": network.card.licence,
                "classes": [kind for _, kind in network.card.classes if kind],
                "milliseconds": measured,
                "engine": chosen,
                "detections": [_row(item) for item in found],
            }
        )
        return
    say(f"{network.card.name} ({network.card.family}, {network.card.licence}) can be used.")
    print_table(
        ("ENGINE", "MS", ""),
        ((name, f"{taken:.1f}", "chosen" if name == chosen else "") for name, taken in measured.items()),
        empty="",
    )
    if picture is not None:
        print_table(
            ("CLASS", "SCORE", "LEFT", "TOP", "RIGHT", "BOTTOM"),
            ((item.kind.value, *(f"{value:.2f}" for value in _numbers(item))) for item in found),
            empty="It finds nothing in this picture.",
        )


def _row(item: Detection) -> dict[str, object]:
    score, *box = _numbers(item)
    return {"class": item.kind.value, "score": score, "box": box}


def _numbers(item: Detection) -> list[float]:
    box = item.box
    return [item.score, box.left, box.top, box.right, box.bottom]


def _read(path: Path) -> Picture:
    import cv2
    import numpy as np

    pixels = cv2.imread(str(path))
    if pixels is None:
        raise BeholdenError("no_picture", f"{path} is not a picture that can be read.", "Give a JPEG or PNG.")
    return np.asarray(pixels, np.uint8)
