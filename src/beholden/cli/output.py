"""What commands print: sentences, tables, and JSON that is nothing but JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def say(text: str) -> None:
    """One line for a person, on standard output, at once."""
    print(text, flush=True)  # noqa: T201


def warn(text: str) -> None:
    """One line for a person, on standard error."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def print_json(value: Any) -> None:
    """One JSON value, on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))  # noqa: T201


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], empty: str) -> None:
    """A table; ``empty`` when it has no rows. Text from outside is shown as it is, never as markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    if not table.row_count:
        say(empty)
        return
    console = Console()
    # Without a terminal there is no width to fit into, and a script must not get cut names.
    if not console.is_terminal:
        console = Console(width=1000)
    console.print(table)


def duration(seconds: float) -> str:
    """``3 d 4 h``, ``5 h 12 min``, ``40 s``: the two largest units that matter."""
    whole = int(seconds)
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    shown = [f"{value} {unit}" for value, unit in parts if value][:2]
    return " ".join(shown) or "0 s"


def size(count: int) -> str:
    """``1.5 GB``: decimal units, as disks are sold."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
