"""The settings of a rule as options: the same for `rule add` and `rule change`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from beholden.cli.camera.windows import parse_windows
from beholden.cli.taking import taking
from beholden.model.event import ObjectClass
from beholden.model.rule import CameraFault, Direction, Severity, Window
from beholden.model.site import SiteMode

_NONE = "none"


def _options(
    severity: Annotated[Severity | None, typer.Option(help="alert or note.")] = None,
    kinds: Annotated[
        list[ObjectClass] | None, typer.Option("--class", metavar="CLASS", help="Only these classes.")
    ] = None,
    min_seconds: Annotated[float | None, typer.Option(metavar="N", help="How long it must last.")] = None,
    cooldown_seconds: Annotated[
        float | None, typer.Option(metavar="N", help="No report so soon after the last one.")
    ] = None,
    min_size: Annotated[float | None, typer.Option(metavar="PART", help="Least part of the picture.")] = None,
    max_size: Annotated[
        float | None, typer.Option(metavar="PART", help="Largest part of the picture.")
    ] = None,
    min_score: Annotated[float | None, typer.Option(metavar="SCORE", help="Least score, 0 to 1.")] = None,
    window: Annotated[
        list[str] | None,
        typer.Option(metavar="WHEN", help="Only then: 'mon-fri 08:00-18:00'; or none: always."),
    ] = None,
    mode: Annotated[
        list[SiteMode] | None, typer.Option(metavar="MODE", help="Only in these modes of the site.")
    ] = None,
    direction: Annotated[Direction | None, typer.Option(help="in, out or both, over a line.")] = None,
    count: Annotated[int | None, typer.Option(metavar="N", help="Objects at once, for occupancy.")] = None,
    speed_kmh: Annotated[float | None, typer.Option(metavar="KMH", help="Least speed.")] = None,
    heading: Annotated[
        float | None, typer.Option(metavar="DEGREES", help="The right way, clockwise from 'to the right'.")
    ] = None,
    fault: Annotated[
        list[CameraFault] | None, typer.Option(metavar="FAULT", help="covered, turned, defocused, frozen.")
    ] = None,
    level_db: Annotated[float | None, typer.Option(metavar="DB", help="Least loudness, -90 to 0.")] = None,
) -> dict[str, Any]:
    """What was given, by the names of ``model.rule.Rule``; BeholdenError for a window that is none."""
    plain: dict[str, Any] = {
        "severity": severity,
        "min_seconds": min_seconds,
        "cooldown_seconds": cooldown_seconds,
        "min_size": min_size,
        "max_size": max_size,
        "min_score": min_score,
        "direction": direction,
        "count": count,
        "speed_kmh": speed_kmh,
        "heading": heading,
        "level_db": level_db,
        "classes": tuple(kinds) if kinds else None,
        "modes": tuple(mode) if mode else None,
        "faults": tuple(fault) if fault else None,
    }
    given = {name: value for name, value in plain.items() if value is not None}
    if window:
        stretches = () if window == [_NONE] else parse_windows(window)
        given["schedule"] = tuple(
            Window(each.weekday, each.from_minute, each.to_minute) for each in stretches
        )
    return given


takes_settings = taking(_options)
