"""`beholden run`: one node, from its checks to its orderly end."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

import setproctitle
import structlog

from beholden import __version__
from beholden.bus.paths import run_dir
from beholden.catalog import Catalog, cameras
from beholden.model.time import Clock, SystemClock
from beholden.run import data_directory, first_start, logs, ports, roles
from beholden.run.launcher import ForkServerLauncher, Launcher
from beholden.run.lock import InstanceLock
from beholden.run.ready import ReadyCall, forget_address, note_address
from beholden.run.roles import RoleSpec
from beholden.run.settings import Settings
from beholden.run.supervisor import Supervisor

log = structlog.get_logger()


def run(settings: Settings, say: Callable[[str], None], launcher: Launcher | None = None) -> None:
    """Run until SIGINT or SIGTERM. ``say`` gets the few lines meant for a person.

    BeholdenError when it cannot start; then nothing was started.
    """
    clock = SystemClock()
    data_directory.prepare(settings.data)
    lock = InstanceLock(settings.data)
    lock.take()
    try:
        ports.check_free(settings.host, settings.port)
        site = first_start.prepare(settings, clock)
        try:
            setproctitle.setproctitle(f"beholden: supervisor {settings.data.absolute()}")
            logs.configure(settings.data, "supervisor", settings.logs)
            launcher = launcher or ForkServerLauncher(settings.data, settings.logs)
            _supervise(settings, site.catalog, launcher, clock, say)
        finally:
            site.catalog.close()
    finally:
        lock.release()


def wanted_roles(settings: Settings, catalog: Catalog) -> list[RoleSpec]:
    """The roles there should be: a recorder for each shard with cameras, and for the first in any case."""
    data = settings.data.absolute()
    with catalog.read() as conn:
        shards = sorted({0, *cameras.shards(conn)})
    return [
        *(RoleSpec("recorder", n, "beholden.record.role:run_recorder", (data, n)) for n in shards),
        RoleSpec("analyser", None, "beholden.analyse.role:run_analyser", (data, settings.model)),
        RoleSpec("web", None, "beholden.run.web_process:run", (settings,)),
    ]


def _supervise(
    settings: Settings, catalog: Catalog, launcher: Launcher, clock: Clock, say: Callable[[str], None]
) -> None:
    state_dir = run_dir(settings.data)
    supervisor = Supervisor(state_dir, launcher, clock, lambda: wanted_roles(settings, catalog))
    ready = _ready_call(settings, catalog, clock, say)
    log.info("starting", version=__version__, data=str(settings.data), pid=os.getpid())
    note_address(state_dir, settings.base_url)
    with _stop_on_signals(supervisor) as stop, contextlib.closing(launcher):
        supervisor.run(stop, ready.tick)
    forget_address(state_dir)
    with contextlib.suppress(OSError):
        (state_dir / roles.FILE_NAME).unlink()
    say("Stopped.")


def _ready_call(settings: Settings, catalog: Catalog, clock: Clock, say: Callable[[str], None]) -> ReadyCall:
    def ready() -> None:
        path = first_start.first_sign_in(catalog, clock)
        link = f". Sign in (this link works once, for a day): {settings.base_url}{path}" if path else ""
        say(f"Beholden is running at {settings.base_url}{link}")

    def late() -> None:
        say(f"The web role does not answer yet; {settings.data / logs.DIRECTORY / 'web.log'} says why.")

    tls = settings.tls_cert is not None
    return ReadyCall(settings.host, settings.port, clock, ready, late, tls=tls)


@contextlib.contextmanager
def _stop_on_signals(supervisor: Supervisor) -> Iterator[threading.Event]:
    """An event set by the first SIGINT or SIGTERM; the second one does not wait for anybody."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: object) -> None:
        if stop.is_set():
            supervisor.hurry()
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
