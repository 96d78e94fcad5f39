"""The cameras of a shard, as the catalog has them now."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from beholden.catalog import Catalog, CatalogError, cameras, sites
from beholden.catalog.secrets import SecretBox
from beholden.model.camera import CameraConfig
from beholden.model.errors import BeholdenError

log = structlog.get_logger()

POLL_SECONDS = 1.0


class Roster:
    """Watches the catalog from a thread of its own: a recorder never waits for it.

    ``on_change(cameras, time_zone)`` is called in that thread with all cameras of the shard and the site's
    zone, at first and after each change. While the catalog cannot be read, the cameras stay as they are.
    """

    def __init__(
        self,
        catalog: Catalog,
        box: SecretBox,
        shard: int,
        on_change: Callable[[list[CameraConfig], str], None],
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._catalog = catalog
        self._box = box
        self._shard = shard
        self._on_change = on_change
        self._poll_seconds = poll_seconds
        self._revision: tuple[tuple[int, int], str] | None = None
        self._stop = threading.Event()
        self._troubled = False
        self._thread = threading.Thread(target=self._run, name="roster", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; waits only a moment, for a catalog that hangs must not delay the stop."""
        self._stop.set()
        self._thread.join(0.2)

    def look(self) -> None:
        """Look once; calls ``on_change`` when something is new."""
        try:
            with self._catalog.read() as conn:
                time_zone = sites.get(conn).time_zone
                revision = cameras.revision(conn), time_zone
                if revision == self._revision:
                    return
                present = cameras.present(conn, self._box, shard=self._shard)
        except BeholdenError as error:
            if not self._troubled:
                log.warning("the cameras cannot be read from the catalog", cause=error.message)
            self._troubled = True
            if not isinstance(error, CatalogError):
                self._revision = None
            return
        self._troubled = False
        self._revision = revision
        self._on_change(present, time_zone)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(self._poll_seconds)
