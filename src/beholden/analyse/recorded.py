"""Recorded files as they were sent, fragment by fragment; what is damaged in them is left out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from beholden.model.media import AccessUnit, StreamFormat
from beholden.record.fmp4 import Mp4Error, parse_init, read_fragment, read_units, walk


class Piece(NamedTuple):
    """One fragment: the file's format, how long it lasts in 90 kHz ticks, and its units, none of a damaged
    one."""

    stream_format: StreamFormat
    ticks: int
    units: list[AccessUnit]


def pieces(path: Path) -> Iterator[Piece]:
    """Those of one file, in order; none of one whose beginning is damaged. OSError when it cannot be read."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        layout = walk(fd)
        stream_format = parse_init(layout.init)
        for ref in layout.fragments:
            try:
                units = read_units(read_fragment(fd, ref))
            except Mp4Error:
                units = []
            yield Piece(stream_format, ref.entry.ticks, units)
    except Mp4Error:
        return
    finally:
        os.close(fd)
