"""The settings of a camera as options: the same for `camera add` and `camera change`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from beholden.cli.camera.windows import parse_windows
from beholden.cli.options import Certificate, Transport
from beholden.cli.quantities import parse_days, parse_size
from beholden.cli.taking import taking
from beholden.model.errors import BeholdenError

_NONE = "none"


def _options(
    record: Annotated[bool | None, typer.Option("--record/--no-record", help="Record or not.")] = None,
    audio: Annotated[bool | None, typer.Option("--audio/--no-audio", help="Record sound or not.")] = None,
    listen: Annotated[
        bool | None,
        typer.Option("--listen/--no-listen", help="Note how loud it is; never what is said. Needs --audio."),
    ] = None,
    analyse: Annotated[
        str | None, typer.Option(metavar="MODE", help="balanced, always, keyframes or off.")
    ] = None,
    detect_main: Annotated[
        bool | None,
        typer.Option(
            "--detect-main/--no-detect-main",
            help="Look for small and far things in the main stream's keyframes too.",
        ),
    ] = None,
    transport: Transport = None,
    certificate: Certificate = None,
    mode: Annotated[
        str | None, typer.Option(metavar="MODE", help="When to record: continuous, events or schedule.")
    ] = None,
    pre_seconds: Annotated[
        int | None, typer.Option(metavar="N", help="Seconds kept before an event.")
    ] = None,
    post_seconds: Annotated[
        int | None, typer.Option(metavar="N", help="Seconds kept after an event.")
    ] = None,
    window: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHEN",
            help="A window of the schedule: 'mon-fri 08:00-18:00', or '…=events'; or none.",
        ),
    ] = None,
    keep_days: Annotated[float | None, typer.Option(metavar="DAYS", help="Days to keep its footage.")] = None,
    keep_event_days: Annotated[
        str | None, typer.Option(metavar="DAYS", help="Days to keep footage with events; or none.")
    ] = None,
    max_days: Annotated[
        str | None, typer.Option(metavar="DAYS", help="Days after which all goes; or none.")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Its share of storage, such as 50GB; or none.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Its memory in the recorder, such as 32MB; or none.")
    ] = None,
) -> dict[str, Any]:
    """What was given, by the names of ``catalog.cameras``; BeholdenError ``bad_value``."""
    from beholden.catalog import camera_settings

    plain: dict[str, Any] = {
        "record": record,
        "record_audio": audio,
        "listen": listen,
        "analyse": analyse,
        "detect_main": detect_main,
        "transport": transport,
        "certificate": certificate,
        "mode": mode,
        "pre_seconds": pre_seconds,
        "post_seconds": post_seconds,
        "keep_days": keep_days,
    }
    given = {name: value for name, value in plain.items() if value is not None}
    if certificate is not None:
        given["certificate"] = camera_settings.parse_certificate(certificate)
    if window is not None:
        given["windows"] = () if window == [_NONE] else parse_windows(window)
    for name, text, parse in (
        ("keep_event_days", keep_event_days, parse_days),
        ("max_days", max_days, parse_days),
        ("max_bytes", max_size, parse_size),
        ("memory_bytes", memory, parse_size),
    ):
        if text is not None:
            given[name] = None if text.strip().lower() == _NONE else parse(text)
    if given.get("mode") == "schedule" and "windows" in given and not given["windows"]:
        raise BeholdenError(
            "bad_value", "A schedule without a window records nothing.", "Give --window, or --no-record."
        )
    return given


takes_settings = taking(_options)
