"""Fragmented MP4 as Beholden keeps it: our own writer and reader, and nothing that decodes.

``build_init`` and ``FragmentWriter`` write; ``walk``, ``parse_init`` and ``read_units`` read. The layout is
described in docs/design/architecture.md, "Media on disk". Box layouts: ISO/IEC 14496-12, -14 and -15,
and "Encapsulation of Opus in ISO Base Media File Format".
"""

from __future__ import annotations

from beholden.record.fmp4.boxes import Mp4Error
from beholden.record.fmp4.init import build_init, parse_init
from beholden.record.fmp4.read import (
    FragmentRef,
    Layout,
    SampleRun,
    read_fragment,
    read_units,
    sample_runs,
    walk,
)
from beholden.record.fmp4.write import Fragment, FragmentWriter

__all__ = [
    "Fragment",
    "FragmentRef",
    "FragmentWriter",
    "Layout",
    "Mp4Error",
    "SampleRun",
    "build_init",
    "parse_init",
    "read_fragment",
    "read_units",
    "sample_runs",
    "walk",
]
