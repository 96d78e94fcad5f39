"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path,
    typer.Option("--data", envvar="BEHOLDEN_DATA", help="The data directory.", metavar="DIR"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
PasswordStdin = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from standard input (asked for at a terminal)."),
]
CameraName = Annotated[str, typer.Argument(metavar="CAMERA", help="Its name or number.")]
VolumeName = Annotated[str, typer.Argument(metavar="VOLUME", help="Its number or path.")]
RuleNumber = Annotated[int, typer.Argument(metavar="RULE", help="The rule's number.")]
BacktestNumber = Annotated[int, typer.Argument(metavar="ID", help="The back-test's number.")]
UserName = Annotated[str, typer.Argument(metavar="NAME", help="The account's name.")]
Transport = Annotated[
    str | None, typer.Option(metavar="HOW", help="auto (TCP, and UDP when refused), tcp or udp.")
]
Certificate = Annotated[
    str | None,
    typer.Option(metavar="WHICH", help="For rtsps: verify, any, or sha256:… of the camera's own."),
]
