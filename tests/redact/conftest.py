"""Footage for tests of stills: the archive of the room that plays it."""

from __future__ import annotations

from ..play.conftest import archive

__all__ = ["archive"]
