"""The demo: virtual cameras in one process, and the product on them as anyone would run it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection

from beholden.access.links import link_path, make_link
from beholden.catalog import Catalog, cameras, users
from beholden.catalog.secrets import SecretBox
from beholden.demo.clips import RECIPES
from beholden.model.access import Role
from beholden.model.errors import BeholdenError
from beholden.model.time import SystemClock
from beholden.run import first_start, node, ports, settings
from beholden.run.lock import is_running
from beholden.run.settings import Settings

KEEP_DAYS = 1.0
Say = Callable[[str], None]


def run_demo(data: Path, port: int | None, host: str | None, count: int, say: Say) -> None:
    """Run until Ctrl-C or SIGTERM. BeholdenError when the port or the data directory is in use."""
    chosen = settings.load(data=data, port=port, host=host)
    if is_running(data):
        raise BeholdenError(
            "already_running", f"Beholden runs on {data} already.", "Stop it first, or choose another --data."
        )
    ports.check_free(chosen.host, chosen.port)
    with _ended_by_sigterm(), _camera_process(count, _used_port(data)) as ready:
        first = _add_cameras(chosen, ready["cameras"])
        say(f"{len(ready['cameras'])} virtual cameras on port {ready['port']}. Starting Beholden …")
        node.run(chosen, say if first else _with_link(chosen, say))


@contextlib.contextmanager
def _camera_process(count: int, port: int) -> Iterator[dict[str, Any]]:
    """The cameras' process, and what it said when it was ready. It sees no Ctrl-C of ours and dies with
    us."""
    command = [sys.executable, "-m", "beholden.demo", "cameras", "--cameras", str(count), "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--child"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise BeholdenError(
                "no_cameras", "The virtual cameras could not be started.", "The lines above say why."
            )
        yield json.loads(line)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=5)
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the preparation as Ctrl-C does; later ``node.run`` answers both itself."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _used_port(data: Path) -> int:
    """The port the cameras had last time, so that their addresses stay; 0 for none."""
    if not (data / "catalog.db").exists():
        return 0
    catalog = Catalog.open_existing(data)
    try:
        with catalog.read() as conn:
            found = [
                urlsplit(each.main.url).port or 0
                for each in cameras.present(conn, None)
                if _is_ours(each.main.url)
            ]
    finally:
        catalog.close()
    return found[0] if found else 0


def _add_cameras(chosen: Settings, wanted: list[dict[str, Any]]) -> bool:
    """Make the catalog's demo cameras those that are served; whether a sign-in link will be given by
    itself."""
    site = first_start.prepare(chosen, SystemClock())
    try:
        with site.catalog.write() as conn:
            _match(conn, site.box, wanted)
            return all(account.password_hash is None for account in users.all_users(conn))
    finally:
        site.catalog.close()


def _match(conn: Connection, box: SecretBox, wanted: list[dict[str, Any]]) -> None:
    now = SystemClock().now_ms()
    present = {each.name: each for each in cameras.present(conn, box)}
    titles = {entry["title"] for entry in wanted}
    for entry in wanted:
        known = present.get(entry["title"])
        if known is None:
            new = cameras.NewCamera(entry["title"], entry["main"], entry["sub"], keep_days=KEEP_DAYS)
            cameras.add(conn, box, now, new)
        elif known.main.url != entry["main"] or not known.enabled:
            changes = {"main_url": entry["main"], "sub_url": entry["sub"], "enabled": True}
            cameras.change(conn, box, now, known.id, changes)
    for name, camera in present.items():
        if name not in titles and camera.enabled and _is_titled(name) and _is_ours(camera.main.url):
            cameras.change(conn, box, now, camera.id, {"enabled": False})


def _is_titled(name: str) -> bool:
    """Whether it is the name of a demo camera; whoever adds cameras of their own keeps them."""
    base = name.rstrip("0123456789").rstrip()
    return any(recipe.title in (name, base) for recipe in RECIPES)


def _is_ours(url: str) -> bool:
    parts = urlsplit(url)
    return parts.hostname == "127.0.0.1" and parts.path.endswith("/main")


def _with_link(chosen: Settings, say: Say) -> Say:
    """``say`` that adds a fresh link after the first line: someone has a password already, but perhaps not
    the one who tries the demo."""
    told = threading.Event()

    def tell(text: str) -> None:
        link = None
        if not told.is_set():
            told.set()
            link = _admin_link(chosen)
        say(f"{text}. Sign in (this link works once, for a day): {link}" if link else text)

    return tell


def _admin_link(chosen: Settings) -> str | None:
    catalog = Catalog.open_existing(chosen.data)
    try:
        with catalog.read() as conn:
            admins = [each for each in users.all_users(conn) if each.role is Role.ADMIN and not each.disabled]
        return chosen.base_url + link_path(make_link(catalog, admins[0].id)) if admins else None
    finally:
        catalog.close()
