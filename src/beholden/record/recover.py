"""After a crash: what lies on the volume is repaired and indexed, and the hole gets its cause."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from beholden.catalog import Catalog, gaps, segments
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.gap import GapCause
from beholden.model.segment import SegmentKey, pack_fragments
from beholden.model.time import ticks_to_ms
from beholden.record.fmp4 import Layout, Mp4Error, parse_init, walk
from beholden.record.index import CloseGap, IndexSegment, OpenGap
from beholden.store.store import Store

log = structlog.get_logger()

_CRASHED = "The recorder ended without warning."
_HASH_BYTES = 1 << 20
# Files of the newest indexed hours are looked at; older ones are the reconciler's.
_LOOK_BACK_MS = 2 * 3_600_000


@dataclass(frozen=True, slots=True)
class Survey:
    """What a start finds: files without rows, and the gaps to close and open before recording begins."""

    unindexed: list[SegmentKey]
    gaps: list[OpenGap | CloseGap]


def survey(catalog: Catalog, volume: Store, cameras: Iterable[int], alive_ms: int | None = None) -> Survey:
    """Look at the newest files of cameras; reads box headers only, so it is quick.

    A stream whose footage ends without a gap being open was being recorded when the recorder died: its gap
    begins where what is kept ends. One whose mode kept nothing then was watched over until ``alive_ms``, when
    the last run was last seen alive, and by nobody since. CatalogError as the catalog raises; a volume that
    cannot be read counts as one without new files.
    """
    found = Survey([], [])
    for camera in cameras:
        with catalog.read() as conn:
            newest = segments.newest_end(conn, camera, StreamRole.MAIN)
            since = (newest or 0) - _LOOK_BACK_MS
            far = 1 << 62
            indexed = {row.key for row in segments.between(conn, camera, StreamRole.MAIN, since, far)}
            lasting = gaps.open_of(conn, camera, StreamRole.MAIN)
            told = gaps.between(conn, camera, StreamRole.MAIN, since, far)
        keys = _new_files(volume, camera, max(0, since) if newest else 0, indexed)
        found.unindexed.extend(keys)
        kept = [(key.start_ms, end) for key in keys if (end := _end_ms(volume, key)) is not None]
        kept_ms = max([*(end for _, end in kept), newest or 0])
        begun = [key.start_ms for key in keys if lasting is not None and key.start_ms > lasting.start_ms]
        begun_ms = min(begun, default=None)
        covered = [(gap.start_ms, gap.end_ms or begun_ms or far) for gap in told]
        found.gaps.extend(_explain_holes(camera, newest, kept, covered))
        found.gaps.extend(_explain_crash(camera, kept_ms, lasting, begun_ms, alive_ms))
    return found


def _explain_holes(
    camera: int, newest_ms: int | None, kept: list[tuple[int, int]], covered: list[tuple[int, int]]
) -> list[OpenGap]:
    """The holes before files without rows that nothing covers: their gaps never reached the catalog, for the
    recorder died again right after its start. ``kept`` and ``covered`` are beginnings and ends."""
    holes, before = [], newest_ms
    for start, end in sorted(kept):
        if before is not None and start - before > segments.JOIN_MS:
            told = any(
                begin <= before + segments.JOIN_MS and start - segments.JOIN_MS <= until
                for begin, until in covered
            )
            if not told:
                holes.append(
                    OpenGap(camera, StreamRole.MAIN, before, GapCause.RECORDER_CRASHED, _CRASHED, start)
                )
        before = max(end, before or 0)
    return holes


def _explain_crash(
    camera: int, kept_ms: int, lasting: gaps.Gap | None, begun_ms: int | None, alive_ms: int | None
) -> list[OpenGap | CloseGap]:
    """What to say of a camera whose recorder died. ``begun_ms``: a file began after the gap that lasts, and
    the end of that gap never reached the catalog."""
    resting = lasting is not None and lasting.cause is GapCause.RULE_OFF and begun_ms is None
    if resting and alive_ms is not None and lasting is not None and alive_ms > lasting.start_ms:
        kept_ms, begun_ms = alive_ms, alive_ms
    if not kept_ms or (lasting is not None and begun_ms is None):
        return []
    opened = OpenGap(camera, StreamRole.MAIN, kept_ms, GapCause.RECORDER_CRASHED, _CRASHED)
    return [opened] if begun_ms is None else [CloseGap(camera, StreamRole.MAIN, begun_ms), opened]


def repair(volume: Store, volume_id: int, key: SegmentKey) -> IndexSegment | None:
    """Make a file without a row whole: cut after its last whole fragment, hashed, ready to index.

    None for a file without any: an empty one is removed, another is moved to ``quarantine/``. OSError as
    the disk raises.
    """
    fd = volume.open_read(key)
    try:
        size = os.fstat(fd).st_size
        layout = _layout(fd)
        stream_format = parse_init(layout.init) if layout is not None else None
        digest = _hash(fd, layout.end) if layout is not None else b""
    except Mp4Error:
        layout = stream_format = None
    finally:
        os.close(fd)
    if layout is None or stream_format is None or ticks_to_ms(layout.end_tick) <= key.start_ms:
        _set_aside(volume, key, size)
        return None
    if layout.end < size:
        volume.truncate(key, layout.end)
    else:
        volume.sync_path(key)
    log.info("repaired a file", camera=key.camera, path=key.path(), cut_bytes=size - layout.end)
    fragments = pack_fragments(ref.entry for ref in layout.fragments)
    end_ms = ticks_to_ms(layout.end_tick)
    return IndexSegment(
        key, end_ms, layout.end, volume_id, layout.init, stream_format, True, digest, fragments
    )


def _new_files(volume: Store, camera: int, after_ms: int, indexed: set[SegmentKey]) -> list[SegmentKey]:
    try:
        volume.check()
        keys = volume.open_segments(camera, StreamRole.MAIN, after_ms)
    except (OSError, BeholdenError) as error:
        log.warning("the volume cannot be looked through", camera=camera, cause=str(error))
        return []
    return [key for key in keys if key not in indexed]


def _end_ms(volume: Store, key: SegmentKey) -> int | None:
    try:
        fd = volume.open_read(key)
    except OSError:
        return None
    try:
        layout = _layout(fd)
        return ticks_to_ms(layout.end_tick) if layout is not None else None
    except (OSError, Mp4Error):
        return None
    finally:
        os.close(fd)


def _layout(fd: int) -> Layout | None:
    layout = walk(fd)
    return layout if layout.fragments else None


def _hash(fd: int, end: int) -> bytes:
    digest = hashlib.sha256()
    position = 0
    while position < end:
        data = os.pread(fd, min(_HASH_BYTES, end - position), position)
        if not data:
            raise Mp4Error("the file became shorter while it was read")
        digest.update(data)
        position += len(data)
    return digest.digest()


def _set_aside(volume: Store, key: SegmentKey, size: int) -> None:
    if size == 0:
        volume.delete(key)
        return
    where = volume.quarantine(key)
    log.warning("a file without a whole fragment was set aside", camera=key.camera, path=str(where))
