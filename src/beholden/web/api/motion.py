"""What moved where: search in a part of the picture, a heat map, and the boxes that were seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query

from beholden.catalog import volumes
from beholden.model.boxes import unpack_frames
from beholden.model.errors import BeholdenError
from beholden.model.frame import TrackedFrame
from beholden.model.grid import COLUMNS, ROWS, cells_within
from beholden.model.levels import unpack_levels
from beholden.store.sidecars import SideKind, read_blocks, sidecars_between
from beholden.web.api.timeline import check_past
from beholden.web.context import Answer, Context, Ctx, Who
from beholden.web.instants import Instant, parse, show
from beholden.web.number import Id

router = APIRouter()

DAY_MS = 86_400_000
LONGEST_DAYS = 100  # a search is to answer at once
LONGEST_BOXES_MS = 900_000
MOST_STEPS = 10_000
From = Annotated[Instant, Query(alias="from")]
To = Annotated[Instant, Query(alias="to")]
Edge = Annotated[float, Query(ge=0, le=1)]


@router.get("/cameras/{camera}/motion", response_model=None)
def get_motion(
    ctx: Ctx,
    who: Who,
    camera: Id,
    start: From,
    end: To,
    left: Edge = 0,
    top: Edge = 0,
    right: Edge = 1,
    bottom: Edge = 1,
    gap: Annotated[int, Query(ge=0, le=3600)] = 10,
    limit: Annotated[int, Query(ge=1, le=2000)] = 200,
) -> Answer:
    """When something moved in a rectangle (0..1 of the picture), newest first. Pauses of up to ``gap``
    seconds do not end a stretch."""
    from beholden.play.motion_search import search

    check_past(ctx, who, [camera])
    start_ms, end_ms = _range(start, end, LONGEST_DAYS * DAY_MS)
    try:
        cells = cells_within(left, top, right, bottom)
    except ValueError:
        raise BeholdenError(
            "bad_rectangle", "The rectangle is empty or outside the picture.", "Draw it again."
        ) from None
    found = search(_roots(ctx), camera, cells, start_ms, end_ms, gap, limit)
    return {
        "camera": camera,
        "from": show(start_ms),
        "to": show(end_ms),
        "watched_seconds": found.watched_seconds,
        "total": found.total,
        "stretches": [
            {"start": show(item.start_ms), "end": show(item.end_ms), "seconds": item.seconds}
            for item in reversed(found.stretches)
        ],
    }


@router.get("/cameras/{camera}/motion/heat", response_model=None)
def get_heat(ctx: Ctx, who: Who, camera: Id, start: From, end: To) -> Answer:
    """In how many seconds each cell of the picture moved, row by row."""
    from beholden.play.motion_search import heat

    check_past(ctx, who, [camera])
    start_ms, end_ms = _range(start, end, LONGEST_DAYS * DAY_MS)
    found = heat(_roots(ctx), camera, start_ms, end_ms)
    return {
        "camera": camera,
        "from": show(start_ms),
        "to": show(end_ms),
        "columns": COLUMNS,
        "rows": ROWS,
        "seconds": found.seconds,
        "watched_seconds": found.watched_seconds,
    }


@router.get("/cameras/{camera}/boxes", response_model=None)
def get_boxes(ctx: Ctx, who: Who, camera: Id, start: From, end: To) -> Answer:
    """The objects in each picture that was looked at, in order; a quarter of an hour at most."""
    check_past(ctx, who, [camera])
    start_ms, end_ms = _range(start, end, LONGEST_BOXES_MS)
    frames: list[TrackedFrame] = []
    for root in _roots(ctx):
        for path in sidecars_between(root, camera, SideKind.BOXES, start_ms, end_ms):
            frames += _frames(path, camera, start_ms, end_ms)
    frames.sort(key=lambda frame: frame.at_ms)
    return {"camera": camera, "frames": [_show(frame) for frame in frames]}


@router.get("/cameras/{camera}/sound", response_model=None)
def get_sound(
    ctx: Ctx,
    who: Who,
    camera: Id,
    start: From,
    end: To,
    step: Annotated[int, Query(ge=1, le=3600)] = 60,
) -> Answer:
    """How loud the loudest second of each ``step`` seconds was, in dB of full scale; nothing where nobody
    listened. At most 10,000 steps."""
    check_past(ctx, who, [camera])
    start_ms, end_ms = _range(start, end, min(LONGEST_DAYS * DAY_MS, MOST_STEPS * step * 1000))
    loudest: dict[int, float] = {}
    for root in _roots(ctx):
        for path in sidecars_between(root, camera, SideKind.SOUND, start_ms, end_ms):
            for block in read_blocks(path, SideKind.SOUND):
                for second, level in unpack_levels(block.first_ms, block.payload):
                    if start_ms <= second * 1000 < end_ms:
                        at = second // step * step
                        loudest[at] = max(loudest.get(at, level), level)
    levels = [{"at": show(at * 1000), "db": level} for at, level in sorted(loudest.items())]
    return {"camera": camera, "step": step, "levels": levels}


def _frames(path: Path, camera: int, start_ms: int, end_ms: int) -> list[TrackedFrame]:
    found: list[TrackedFrame] = []
    for block in read_blocks(path, SideKind.BOXES):
        try:
            frames = list(unpack_frames(camera, block.first_ms, block.payload))
        except ValueError:
            continue  # written by a later version: there is nothing to show of it
        found += [frame for frame in frames if start_ms <= frame.at_ms < end_ms]
    return found


def _show(frame: TrackedFrame) -> Answer:
    return {
        "at": show(frame.at_ms),
        "objects": [
            {
                "track": item.track,
                "kind": item.kind.value,
                "score": round(item.score, 3),
                "box": {
                    "left": round(item.box.left, 5),
                    "top": round(item.box.top, 5),
                    "right": round(item.box.right, 5),
                    "bottom": round(item.box.bottom, 5),
                },
                "stationary": item.stationary,
            }
            for item in frame.objects
        ],
    }


def _range(start: str, end: str, longest_ms: int) -> tuple[int, int]:
    start_ms, end_ms = parse(start), parse(end)
    if end_ms <= start_ms:
        raise BeholdenError("bad_range", "The end is not after the start.", "Choose a later end.")
    if end_ms - start_ms > longest_ms:
        raise BeholdenError("bad_range", "The range is too long.", "Choose a shorter one.")
    return start_ms, end_ms


def _roots(ctx: Context) -> list[Path]:
    with ctx.catalog.read() as conn:
        return [Path(row.path) for row in volumes.all_volumes(conn)]
