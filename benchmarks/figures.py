"""What a benchmark returns, and how it is printed: a table for people, one flat JSON object for scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Figures:
    """``named`` are the figures that count (name to number); ``rows`` the measurements behind them.

    ``notes`` say what a reader must know: the machine's load, what was not measured and why.
    """

    named: dict[str, float]
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def as_json(figures: Figures) -> str:
    """One object of named figures."""
    return json.dumps({name: _short(value) for name, value in figures.named.items()})


def as_table(figures: Figures, meanings: Mapping[str, str]) -> str:
    """The measurements, the figures with their meanings, the notes."""
    parts = []
    if figures.rows:
        parts.append(_aligned([figures.columns, *figures.rows]))
    parts.append(_aligned([[n, f"{_short(v):g}", meanings.get(n, "")] for n, v in figures.named.items()]))
    parts += [f"Note: {note}" for note in figures.notes]
    return "\n\n".join(parts)


def _short(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.4g}")


def _aligned(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
