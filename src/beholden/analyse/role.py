"""The analyser process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from beholden.analyse.analyser import Analyser
from beholden.analyse.backtest_process import Bench
from beholden.analyse.detect.choice import open_detector
from beholden.analyse.detect.detector import Detector
from beholden.analyse.hooks import Hooks
from beholden.analyse.keeper import Keeper
from beholden.analyse.listen import Listener
from beholden.analyse.mask import Masks
from beholden.analyse.memory import CatalogShelf, Memory
from beholden.analyse.note import DecodingNote
from beholden.analyse.ruling import Ruling
from beholden.analyse.sink import CatalogSink
from beholden.bus.local import BusClient, ThreadedBusServer, socket_path
from beholden.catalog import Catalog, CatalogError, cameras
from beholden.model.errors import BeholdenError
from beholden.model.time import SystemClock

log = structlog.get_logger()

_POLL_SECONDS = 1.0


def run_analyser(
    data_dir: Path,
    model: str,
    heartbeat: Callable[[], None],
    stop: threading.Event,
    *,
    make_detector: Callable[[Path, str], Detector] = open_detector,
) -> None:
    """Analyse the cameras of a data directory with a model ("": the one that came along) until ``stop``.

    ``heartbeat`` is called about once a second while every thread works; a supervisor that misses it
    starts the process again. BeholdenError when the catalog or the model cannot be used.
    """
    catalog = Catalog.open_existing(data_dir)
    try:
        sink = CatalogSink(catalog)
        orphans = sink.end_orphans()
        if orphans:
            log.info("ended events of an analyser that died", events=orphans)
        detector = make_detector(data_dir, model)
        log.info("detector loaded", model=detector.card.name, engine=detector.backend)
        _serve(data_dir, catalog, sink, detector, heartbeat, stop)
    finally:
        catalog.close()


def _serve(
    data_dir: Path,
    catalog: Catalog,
    sink: CatalogSink,
    detector: Detector,
    heartbeat: Callable[[], None],
    stop: threading.Event,
) -> None:
    server: ThreadedBusServer | None = None
    analyser: Analyser | None = None

    def answer(request: dict[str, object]) -> dict[str, object] | None:
        return analyser.stats() if analyser is not None and request.get("op") == "stats" else None

    server = ThreadedBusServer(socket_path(data_dir, "analyser"), answer)
    keeper = Keeper(data_dir, sink, server.publish)
    ruling = Ruling(keeper.put, keeper.count)
    memory = Memory(CatalogShelf(catalog), SystemClock())
    masks = Masks()
    listener = Listener(
        memory, ruling, BusClient.connect, lambda shard: socket_path(data_dir, f"recorder-{shard}")
    )
    note = DecodingNote(data_dir, SystemClock())
    analyser = Analyser(
        detector,
        keeper,
        BusClient.connect,
        lambda shard: socket_path(data_dir, f"recorder-{shard}"),
        SystemClock(),
        Hooks([memory, ruling], [memory.motion], masks.privacy, masks.motion),  # listeners are joined here
        note,
    )
    memory.start()
    bench = Bench(data_dir, SystemClock())
    try:
        _follow(
            catalog, analyser, [masks.follow, ruling.refresh, bench.look, listener.follow], heartbeat, stop
        )
    finally:
        bench.close()
        listener.close()
        analyser.close()
        note.close()
        keeper.close()
        memory.close()
        server.close()


def _follow(
    catalog: Catalog,
    analyser: Analyser,
    followers: Sequence[Callable[[Catalog], None]],
    heartbeat: Callable[[], None],
    stop: threading.Event,
) -> None:
    """Keep the analyser's cameras those of the catalog, and whoever else follows it. No camera is seen before
    its masks are."""
    known: tuple[int, int] | None = None
    while not stop.is_set():
        try:
            for follow in followers:
                follow(catalog)
            with catalog.read() as conn:
                revision = cameras.revision(conn)
                configs = cameras.present(conn, None) if revision != known else None
        except CatalogError as error:
            log.warning("cameras not read", cause=str(error))
            configs = None
        else:
            known = revision
        if configs is not None:
            analyser.configure(configs)
        if not analyser.alive:
            raise BeholdenError(
                "analyser_stuck", "A part of the analyser stopped working.", "It is started again by itself."
            )
        heartbeat()
        stop.wait(_POLL_SECONDS)
