"""Worker processes: results, errors, time limits, death, and cancelled callers."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from beholden.model.errors import BeholdenError
from beholden.play.ability import Rendition
from beholden.play.conversions import Conversions
from beholden.play.workshop import InlineWorkshop, ProcessWorkshop, run_once


def double(value: int) -> int:
    """A task."""
    return value * 2


def refuse() -> None:
    """A task that refuses."""
    raise BeholdenError("not_decodable", "It is broken.", "Leave it.")


def die() -> None:
    """A task in which the decoder crashes."""
    os._exit(11)


def hang(mark: str, seconds: float) -> None:
    """A task that takes long; leaves a mark when it begins."""
    Path(mark).touch()
    time.sleep(seconds)


async def test_work_is_done_and_errors_come_back_as_they_were() -> None:
    """With code, message and next step."""
    workshop = ProcessWorkshop()
    try:
        assert await workshop.run(double, 21) == 42
        with pytest.raises(BeholdenError) as caught:
            await workshop.run(refuse)
        assert (caught.value.code, caught.value.next_step) == ("not_decodable", "Leave it.")
    finally:
        await workshop.close()


async def test_a_crash_costs_one_task_and_the_next_has_a_new_process() -> None:
    """As a decoder may on a damaged recording."""
    workshop = ProcessWorkshop()
    try:
        with pytest.raises(BeholdenError) as caught:
            await workshop.run(die)
        assert caught.value.code == "not_decodable"
        assert await workshop.run(double, 1) == 2
    finally:
        await workshop.close()


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    """And its process with it."""
    with pytest.raises(BeholdenError) as caught:
        run_once(hang, str(tmp_path / "mark"), 600.0, seconds=3.0)
    assert caught.value.code == "took_too_long"


async def test_cancelled_callers_do_not_pile_up(tmp_path: Path) -> None:
    """Who waits and goes away is never served; the queue has an end, and says so."""
    workshop = ProcessWorkshop(workers=1, waiting=2)
    try:
        await workshop.run(double, 1)
        busy = asyncio.create_task(workshop.run(hang, str(tmp_path / "first"), 2.0))
        waiting = [asyncio.create_task(workshop.run(hang, str(tmp_path / f"w{n}"), 0.0)) for n in range(2)]
        await asyncio.sleep(0.1)
        with pytest.raises(BeholdenError) as caught:
            await workshop.run(double, 1)
        assert caught.value.code == "busy"
        for task in waiting:
            task.cancel()
        await busy
        assert await workshop.run(double, 4) == 8
        assert not (tmp_path / "w0").exists()
        assert not (tmp_path / "w1").exists()
    finally:
        await workshop.close()


async def test_close_leaves_no_process_behind() -> None:
    """Not even one in the middle of something."""
    workshop = ProcessWorkshop()
    number = await workshop.run(os.getpid)
    await workshop.close()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


class Leave:
    """Grants all."""

    def require(self, camera: int, *actions: object) -> None:
        """Yes."""


async def test_the_same_piece_is_made_once_and_kept_for_a_while(archive, clip_factory) -> None:  # type: ignore[no-untyped-def]
    """For all who ask for it at once and soon after; the oldest go when there is no room."""
    recording = archive.footage.get(archive.record(clip_factory(codec="h265", seconds=2)))
    workshop = InlineWorkshop()
    conversions = Conversions(workshop, kept_bytes=1)
    way, leave = Rendition("h264", "none"), Leave()
    made = await asyncio.gather(*(conversions.piece(recording, 0, 1, way, leave) for _ in range(3)))
    assert made[0] == made[1] == made[2]
    assert workshop.tasks == ["piece_of"]
    await conversions.piece(recording, 0, 1, way, leave)
    assert workshop.tasks == ["piece_of"] * 2  # there was no room to keep it
    roomy = Conversions(workshop)
    await roomy.piece(recording, 1, 1, way, leave)
    await roomy.piece(recording, 1, 1, way, leave)
    assert workshop.tasks == ["piece_of"] * 3
    with pytest.raises(BeholdenError):
        await roomy.piece(recording, 1, 2, way, leave)
