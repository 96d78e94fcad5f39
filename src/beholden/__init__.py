"""Beholden: a video security system that records everything that matters and identifies no one."""

__version__ = "0.1.0"
