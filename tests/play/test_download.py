"""Downloads: every picture, times from 0, the size that was promised, no decoder complaint."""

from __future__ import annotations

import io
from typing import Any

import av
import pytest

from beholden.demo.synthetic import read_frame_number
from beholden.model.access import Action
from beholden.model.errors import BeholdenError
from beholden.play import mp4

START_MS = 1_767_225_600_000


class Leave:
    """Notes what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, tuple[Action, ...]]] = []

    def require(self, camera: int, *actions: Action) -> None:
        """Grant it."""
        self.asked.append((camera, actions))


def fetch(plan: mp4.Download) -> bytes:
    """All of it."""
    return b"".join(plan.read(Leave()))


def frames(data: bytes, kind: str = "video") -> list[Any]:
    """Decoded frames of one kind, strictly."""
    with av.open(io.BytesIO(data)) as container:
        return list(container.decode(container.streams.best(kind)))


def test_two_files_become_one_with_every_picture_in_order(archive: Any, clip_factory: Any) -> None:
    """Numbers run on over the seam, times are evenly spaced from 0, and the size is the one announced."""
    archive.record(clip_factory(audio="aac"))
    archive.record(clip_factory(audio="aac"), START_MS + 2000)
    plan = mp4.plan_download(archive.footage, archive.camera, START_MS, START_MS + 60_000)
    data = fetch(plan)
    assert len(data) == plan.size
    shown = frames(data)
    assert [read_frame_number(frame.to_ndarray(format="gray")) for frame in shown] == [*range(20)] * 2
    times = [float(frame.pts * frame.time_base) for frame in shown]
    assert times == pytest.approx([times[0] + n / 10 for n in range(40)], abs=0.002)
    assert times[0] < 0.1
    with av.open(io.BytesIO(data)) as container:
        assert container.duration == pytest.approx(4_000_000, abs=150_000)
    assert len(frames(data, "audio")) > 0


def test_it_begins_with_the_keyframe_before_the_start(archive: Any, clip_factory: Any) -> None:
    """And ends with the GOP that holds the end."""
    archive.record(clip_factory(seconds=4))
    plan = mp4.plan_download(archive.footage, archive.camera, START_MS + 1500, START_MS + 2500)
    assert (plan.start_ms, plan.end_ms) == (START_MS + 1000, START_MS + 3000)
    numbers = [read_frame_number(frame.to_ndarray(format="gray")) for frame in frames(fetch(plan))]
    assert numbers == [*range(10, 30)]


@pytest.mark.parametrize("audio", ["none", "aac", "pcmu", "opus"])
def test_a_gap_is_closed_up(archive: Any, clip_factory: Any, audio: str) -> None:
    """No hole in the times, no step backwards in either track, and the number of gaps is said."""
    archive.record(clip_factory(audio=audio))
    archive.record(clip_factory(audio=audio), START_MS + 30_000)
    plan = mp4.plan_download(archive.footage, archive.camera, START_MS, START_MS + 60_000)
    assert plan.gaps == 1
    data = fetch(plan)
    assert len(frames(data)) == 40
    with av.open(io.BytesIO(data)) as container:
        last: dict[int, float] = {}
        for packet in container.demux():
            if packet.dts is None:
                continue
            at = float(packet.dts * packet.time_base)
            assert at > last.get(packet.stream_index, -1.0)
            assert at - last.get(packet.stream_index, at) < 0.5
            last[packet.stream_index] = at
    assert max(last.values()) < 4.5


def test_gops_of_several_fragments_and_h265_download_as_they_are(archive: Any, clip_factory: Any) -> None:
    """Nothing is re-encoded."""
    archive.record(clip_factory(codec="h265", gop=20, seconds=4), fragment_ms=500)
    data = fetch(mp4.plan_download(archive.footage, archive.camera, START_MS, START_MS + 60_000))
    with av.open(io.BytesIO(data)) as container:
        assert container.streams.video[0].codec_context.name == "hevc"
    assert len(frames(data)) == 40


def test_players_can_seek_in_it(archive: Any, clip_factory: Any) -> None:
    """By the index at its head."""
    archive.record(clip_factory(), rounds=5)
    data = fetch(mp4.plan_download(archive.footage, archive.camera, START_MS, START_MS + 60_000))
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        container.seek(round(7 / stream.time_base), stream=stream)
        frame = next(container.decode(stream))
        assert float(frame.pts * frame.time_base) == pytest.approx(7.0, abs=0.01)


def test_a_change_of_format_is_refused_with_the_moment(archive: Any, clip_factory: Any) -> None:
    """One track holds one format; the person is told where to cut."""
    archive.record(clip_factory())
    archive.record(clip_factory(width=480, height=270), START_MS + 2000)
    with pytest.raises(BeholdenError) as caught:
        mp4.plan_download(archive.footage, archive.camera, START_MS, START_MS + 60_000)
    assert caught.value.code == "format_changed"
    assert "2026-01-01T00:00:02.000Z" in caught.value.next_step


@pytest.mark.parametrize(("start", "end", "code"), [(0, 1000, "not_recorded"), (9, 9, "bad_range")])
def test_nothing_to_download_is_told(archive: Any, start: int, end: int, code: str) -> None:
    """Before anything is sent."""
    with pytest.raises(BeholdenError) as caught:
        mp4.plan_download(archive.footage, archive.camera, start, end)
    assert caught.value.code == code


def test_bytes_come_only_with_leave_to_download(archive: Any, clip_factory: Any) -> None:
    """The pass is asked before the first byte."""
    archive.record(clip_factory())
    plan = mp4.plan_download(archive.footage, archive.camera, START_MS, START_MS + 60_000)
    leave = Leave()
    next(plan.read(leave))
    assert leave.asked == [(archive.camera, (Action.DOWNLOAD,))]


def test_memory_is_bounded_by_a_gop(archive: Any, clip_factory: Any) -> None:
    """No piece is larger than the largest GOP or the head."""
    archive.record(clip_factory(), rounds=4)
    plan = mp4.plan_download(archive.footage, archive.camera, START_MS, START_MS + 60_000)
    largest = max(item.gop.size for stretch in plan.stretches for item in stretch.cuts)
    assert max(len(piece) for piece in plan.read(Leave())) <= max(largest, len(plan.head))


def test_names_of_files() -> None:
    """Whatever a camera is called."""
    assert mp4.file_name("Front door / 2", "2026-11-23_22-15-04") == "Front-door-2_2026-11-23_22-15-04.mp4"
    assert mp4.file_name("../..", "t") == "camera_t.mp4"
    assert mp4.file_name("Tür 東", "t") == "Tür-東_t.mp4"
