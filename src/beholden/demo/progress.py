"""Telling a person how far long work is, on standard error."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

Step = Callable[[int, int], None]
"""Called with what is done and what there is in all."""


@contextlib.contextmanager
def shown(words: str) -> Iterator[Step]:
    """A bar on a terminal, a line at every fifth elsewhere; nothing at all when there is nothing to do."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(words)
        return
    columns = (TextColumn(words), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(words, total=None, visible=False)
        yield lambda done, total: progress.update(task, completed=done, total=total, visible=True)


class _Lines:
    def __init__(self, words: str) -> None:
        self._words = words
        self._told = -1

    def __call__(self, done: int, total: int) -> None:
        fifth = 5 * done // max(1, total)
        if fifth > self._told:
            self._told = fifth
            print(f"{self._words} {100 * done // max(1, total)} %", file=sys.stderr, flush=True)  # noqa: T201
