"""The processes of a running system: what the supervisor says of them, and what they use."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from beholden.bus.messages import BusError
from beholden.bus.paths import run_dir
from beholden.web.instants import show

FILE_NAME = "roles.json"
_PYTHON = "Reads cameras without all of the compiled code, at more CPU; its log says why."


@dataclass(frozen=True, slots=True)
class RoleRow:
    """One line of the supervisor's state file (``run/roles.json``)."""

    role: str
    shard: int | None
    pid: int | None
    state: str  # starting | running | waiting | stopping
    started_ms: int | None
    restarts: int
    reason: str

    @property
    def name(self) -> str:
        """``analyser`` or ``recorder 0``."""
        return self.role if self.shard is None else f"{self.role} {self.shard}"


def read_roles(data_dir: Path) -> list[RoleRow]:
    """What the supervisor last said; empty when it never ran or the file cannot be read."""
    try:
        rows = json.loads((run_dir(data_dir) / FILE_NAME).read_text(encoding="utf-8"))["roles"]
        return [_row(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, BusError):
        return []


class Usage:
    """CPU and memory by process id. CPU is over the time since the last question, at the first one since
    the process began."""

    def __init__(self) -> None:
        self._known: dict[int, psutil.Process] = {}
        self._lock = threading.Lock()

    def of(self, pids: Iterable[int]) -> dict[int, tuple[float, int]]:
        """(percent of one core, resident bytes) of those that live."""
        found: dict[int, tuple[float, int]] = {}
        with self._lock:
            wanted = set(pids)
            self._known = {pid: process for pid, process in self._known.items() if pid in wanted}
            for pid in wanted:
                try:
                    known = self._known.get(pid)
                    process = known or psutil.Process(pid)
                    percent = process.cpu_percent(None)  # since the last question; 0 at the first
                    if known is None:
                        self._known[pid] = process
                        percent = _since_start(process)
                    found[pid] = (percent, process.memory_info().rss)
                except psutil.Error:
                    self._known.pop(pid, None)
        return found


def _since_start(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(100 * (used.user + used.system) / max(0.1, time.time() - process.create_time()))


def show_roles(
    roles: list[RoleRow], usage: Usage, recorders: Mapping[int, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """As the API shows them. ``recorders``: what each says of its process, by shard."""
    used = usage.of(role.pid for role in roles if role.pid)
    shown = []
    for role in roles:
        cpu, memory = used.get(role.pid or 0, (None, None))
        shown.append(
            {
                "role": role.role,
                "shard": role.shard,
                "state": role.state,
                "pid": role.pid,
                "cpu_percent": cpu if cpu is None else round(cpu, 1),
                "memory_bytes": memory,
                "started": show(role.started_ms),
                "restarts": role.restarts,
                "note": _PYTHON if _reads_in_python(role, recorders) else "",
            }
        )
    return shown


def _reads_in_python(role: RoleRow, recorders: Mapping[int, Mapping[str, Any]]) -> bool:
    return role.role == "recorder" and recorders.get(role.shard or 0, {}).get("compiled") is False


def _row(row: dict[str, Any]) -> RoleRow:
    return RoleRow(
        role=str(row["role"]),
        shard=row.get("shard"),
        pid=row.get("pid"),
        state=str(row["state"]),
        started_ms=row.get("started_ms"),
        restarts=int(row.get("restarts") or 0),
        reason=str(row.get("reason") or ""),
    )
