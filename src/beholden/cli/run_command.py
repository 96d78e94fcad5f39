"""`beholden run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from beholden.cli.output import say


def run(
    data: Annotated[
        Path | None,
        typer.Option("--data", envvar="BEHOLDEN_DATA", help="The data directory.", metavar="DIR"),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="Address to listen on: 127.0.0.1 (this machine, default) or 0.0.0.0 (all networks)."
        ),
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (default 8484).")] = None,
    logs: Annotated[str | None, typer.Option(help="How to log on standard error: console or json.")] = None,
) -> None:
    """Record, analyse and serve until Ctrl-C."""
    from beholden.run import node, settings

    node.run(settings.load(data=data, host=host, port=port, logs=logs), say)
