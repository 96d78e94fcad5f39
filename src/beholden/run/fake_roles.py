"""Stand-ins for roles, for tests of what watches them. Each leaves a line in ``DIR/fake-roles.txt``."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

FILE_NAME = "fake-roles.txt"


def good(data_dir: Path, name: str, heartbeat: Callable[[], None], stop: threading.Event) -> None:
    """Beats, and goes when asked."""
    note(data_dir, f"{name} started {os.getpid()}")
    while not stop.wait(0.1):
        heartbeat()
    note(data_dir, f"{name} stopped {os.getpid()}")


def dying(data_dir: Path, name: str, heartbeat: Callable[[], None], _stop: threading.Event) -> None:
    """Fails at once."""
    note(data_dir, f"{name} started {os.getpid()}")
    heartbeat()
    raise RuntimeError("as told")


def hanging(data_dir: Path, name: str, heartbeat: Callable[[], None], _stop: threading.Event) -> None:
    """Beats once, then neither beats nor goes."""
    note(data_dir, f"{name} started {os.getpid()}")
    heartbeat()
    while True:
        time.sleep(60)


def stubborn(data_dir: Path, name: str, heartbeat: Callable[[], None], _stop: threading.Event) -> None:
    """Beats, and does not go."""
    note(data_dir, f"{name} started {os.getpid()}")
    while True:
        heartbeat()
        time.sleep(0.1)


def note(data_dir: Path, line: str) -> None:
    """Append a line in one write."""
    with (data_dir / FILE_NAME).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
