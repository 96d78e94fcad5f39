"""What the supervisor starts, and the file in which it says how each of them is."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from beholden.bus.messages import BusError
from beholden.bus.paths import run_dir

FILE_NAME = "roles.json"


class RoleState(enum.StrEnum):
    """What a role's process is doing, as its supervisor sees it."""

    STARTING = "starting"  # has a process, has not beaten yet
    RUNNING = "running"
    WAITING = "waiting"  # died too often; starts again after a pause
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """One process to keep running.

    ``target`` is ``module:function``, called as ``function(*arguments, heartbeat, stop)`` in the new
    process; ``arguments`` are plain values without secrets.
    """

    role: str
    shard: int | None
    target: str
    arguments: tuple[Any, ...]

    @property
    def name(self) -> str:
        """``web`` or ``recorder 0``."""
        return self.role if self.shard is None else f"{self.role} {self.shard}"


@dataclass(frozen=True, slots=True)
class RoleReport:
    """One line of ``roles.json``. ``pid`` is None while there is no process; ``reason`` says how the
    last one ended and is empty when none has."""

    role: str
    shard: int | None
    pid: int | None
    state: RoleState
    started_ms: int | None
    restarts: int
    reason: str


def write(directory: Path, reports: Iterable[RoleReport]) -> None:
    """Replace the state file in one step: a reader sees the old one or the new one."""
    text = json.dumps({"roles": [asdict(report) for report in reports]}, indent=1)
    draft = directory / (FILE_NAME + ".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(directory / FILE_NAME)


def read(data_dir: Path) -> list[RoleReport]:
    """What the supervisor last said; empty when it never ran or said nothing readable."""
    try:
        rows = json.loads((run_dir(data_dir) / FILE_NAME).read_text(encoding="utf-8"))["roles"]
        return [_report(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, BusError):
        return []


def _report(row: dict[str, Any]) -> RoleReport:
    return RoleReport(
        role=row["role"],
        shard=row["shard"],
        pid=row["pid"],
        state=RoleState(row["state"]),
        started_ms=row["started_ms"],
        restarts=row["restarts"],
        reason=row["reason"],
    )
