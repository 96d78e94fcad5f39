"""Beholden: a video security system that records everything that matters and identifies no one."""

import os

from beholden import native

__version__ = "0.1.0"

native.install(os.path.dirname(__file__))  # noqa: PTH120 - without pathlib, see there
