"""`beholden camera test`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from beholden.cli.options import Certificate, Json, PasswordStdin, Transport
from beholden.cli.output import print_json, say, warn
from beholden.model.errors import BeholdenError

if TYPE_CHECKING:
    from beholden.ingest.probe import ProbeResult
    from beholden.model.camera import StreamAddress

EXIT_BAD = 1


def try_camera(
    camera: Annotated[str, typer.Argument(metavar="URL", help="An RTSP address, or a camera's name.")],
    user: Annotated[str | None, typer.Option(help="User name on the camera.")] = None,
    password_stdin: PasswordStdin = False,
    sub: Annotated[bool, typer.Option("--sub", help="Of a named camera: its sub stream.")] = False,
    seconds: Annotated[float, typer.Option(min=1, max=60, help="How long to try at most.")] = 8.0,
    data: Annotated[
        Path | None,
        typer.Option("--data", envvar="BEHOLDEN_DATA", metavar="DIR", help="Where a named camera is known."),
    ] = None,
    transport: Transport = None,
    certificate: Certificate = None,
    json: Json = False,
) -> None:
    """Pull a stream for some seconds and say what came. Exit code 1 when it cannot be recorded."""
    from beholden.cli.opening import log_to_stderr
    from beholden.ingest.probe import probe

    log_to_stderr()
    address = _address(camera, user, password_stdin, data, sub)
    found = probe(_travelling(address, transport, certificate), seconds)
    if json:
        print_json(_as_json(found))
    else:
        tell = warn if found.verdict == "bad" else say
        for line in _lines(found):
            tell(line)
    if found.verdict == "bad":
        raise typer.Exit(EXIT_BAD)


def _address(camera: str, user: str | None, ask: bool, data: Path | None, sub: bool) -> StreamAddress:
    from dataclasses import replace

    from beholden.catalog import cameras
    from beholden.cli import secrets

    if "://" in camera:
        address = cameras.split_url(camera)
    else:
        address = _known_address(camera, data, sub)
    if user is not None:
        address = replace(address, username=user)
    if ask:
        address = replace(address, password=secrets.read_password("Password of the camera"))
    return address


def _travelling(address: StreamAddress, transport: str | None, certificate: str | None) -> StreamAddress:
    from dataclasses import replace

    from beholden.catalog import camera_settings
    from beholden.model.camera import Transport as Way

    given = {"transport": transport or address.transport, "certificate": certificate or address.certificate}
    given["certificate"] = camera_settings.parse_certificate(given["certificate"])
    camera_settings.check(given)
    return replace(address, transport=Way(given["transport"]), certificate=given["certificate"])


def _known_address(name: str, data: Path | None, sub: bool) -> StreamAddress:
    from beholden.catalog import cameras
    from beholden.cli import opening
    from beholden.model.camera import StreamRole

    if data is None:
        cameras.split_url(name)  # says what an address looks like
        raise AssertionError("an address without :// is refused")
    with opening.existing(data) as site, site.catalog.read() as conn:
        config = cameras.get(conn, site.box, cameras.find(conn, name))
    address = config.address(StreamRole.SUB if sub else StreamRole.MAIN)
    if address is None:
        raise BeholdenError(
            "no_sub_stream",
            f"{config.name} has no sub stream.",
            f"`beholden camera change {config.id} --sub URL` adds one.",
        )
    return address


def _as_json(found: ProbeResult) -> dict[str, Any]:
    return {
        "verdict": found.verdict,
        "sentence": found.sentence,
        "next_step": found.next_step,
        "codec": found.codec,
        "width": found.width,
        "height": found.height,
        "fps": found.fps,
        "gop_seconds": found.gop_seconds,
        "kbps": found.kbps,
        "audio_codec": found.audio_codec,
        "transport": found.transport,
        "clock_offset_ms": found.clock_offset_ms,
        "remarks": [{"level": level, "text": text} for level, text in found.remarks],
    }


def _lines(found: ProbeResult) -> list[str]:
    facts = [
        ("video", f"{found.codec}, {found.width}x{found.height}" if found.codec else None),
        ("pictures a second", None if found.fps is None else f"{found.fps:.1f}"),
        ("key frame every", None if found.gop_seconds is None else f"{found.gop_seconds:.1f} s"),
        ("bit rate", None if found.kbps is None else f"{found.kbps:.0f} kbit/s"),
        ("sound", found.audio_codec or ("none" if found.codec else None)),
    ]
    return [
        f"{found.verdict.upper()}: {found.sentence} {found.next_step}".rstrip(),
        *(f"  {name}: {value}" for name, value in facts if value is not None),
        *(f"  {level}: {text}" for level, text in found.remarks),
    ]
