"""A trial's verdict, from scripted sources: what came, what did not, and what to change."""

from __future__ import annotations

from typing import Any

import pytest

from beholden.ingest.probe import ProbeResult, probe
from beholden.ingest.source import FakeSource, SourceError
from beholden.model.camera import StreamAddress, StreamState
from beholden.model.gap import GapCause
from beholden.model.media import AccessUnit, AudioFormat, StreamFormat, Track, VideoFormat
from beholden.model.time import FakeClock

SOUND = AudioFormat("pcmu", 8000, 1)
H264 = VideoFormat("h264", 640, 360, (b"\x67\x64\x00\x1e", b"\x68"))
LOST = SourceError(StreamState.OFFLINE, GapCause.CAMERA_LOST, "gone", "It is gone.", "Look.")


def _picture(tick: int, key: bool) -> AccessUnit:
    return AccessUnit(Track.VIDEO, tick, key, [b"picture"], 7, 0)


def _stream(seconds: int, fps: int, gop: int, sound: bool = True) -> list[Any]:
    """One step a second: its pictures, and a frame of sound."""
    steps: list[Any] = [[StreamFormat(H264, SOUND if sound else None)]]
    for second in range(seconds):
        first = second * fps
        step: list[Any] = [
            _picture(number * 90_000 // fps, number % (gop * fps) == 0)
            for number in range(first, first + fps)
        ]
        if sound:
            step.append(AccessUnit(Track.AUDIO, second * 8000, True, [b"s"], 1, 0, 160))
        steps.append(step)
    return steps


def _try(script: list[Any], seconds: float = 8.0, **status: Any) -> ProbeResult:
    clock = FakeClock()

    def make(_address: StreamAddress, sink: Any, its_clock: Any, *, after_pts: int = 0) -> FakeSource:
        assert after_pts == 0
        source = FakeSource(sink, its_clock, script)
        for name, value in status.items():
            setattr(source.status, name, value)
        return source

    address = StreamAddress("rtsp://camera/")
    return probe(
        address, seconds, clock, make_source=make, make_fallback=None, pause=lambda _: clock.advance(0.5)
    )


def test_a_good_stream_is_good() -> None:
    """With its figures and nothing to remark."""
    found = _try(_stream(8, 25, 1))
    assert (found.verdict, found.remarks, found.next_step) == ("good", (), "")
    assert (found.fps, found.gop_seconds, found.audio_codec) == (25.0, 1.0, "pcmu")
    assert "640×360, 25 fps" in found.sentence


@pytest.mark.parametrize(
    ("script", "status", "word", "step"),
    [
        (_stream(12, 25, 5), {}, "key frames are 5 seconds apart", "interval"),
        (_stream(4, 25, 30), {}, "no second key frame", "interval"),
        (_stream(8, 2, 1), {}, "only 2 pictures", "frame rate"),
        (_stream(8, 25, 1), {"lost_packets": 3}, "3 packets were lost", "network"),
        ([*_stream(2, 25, 1)[:2], LOST], {}, "it is gone", "interval"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_change(
    script: list[Any], status: dict[str, Any], word: str, step: str
) -> None:
    """Usable, but."""
    found = _try(script, **status)
    assert found.verdict == "usable"
    assert word in found.sentence
    assert step in found.next_step


def test_what_is_worth_knowing_is_remarked() -> None:
    """The camera's clock, the lack of sound, the client's own notes; none of it spoils the verdict."""
    found = _try(_stream(8, 25, 1, sound=False), clock_offset_ms=9000, notes=["A note."])
    texts = [text for _, text in found.remarks]
    assert found.verdict == "good"
    assert "off by 9 s" in texts[0]
    assert texts[1:] == ["There is no sound in this stream.", "A note."]
    hevc = VideoFormat("h265", 640, 360, (b"", b"\x42\x01\x01\x01\x60" + bytes(20), b""))
    other = _try([[StreamFormat(hevc, None)], *_stream(8, 25, 1, sound=False)[1:]])
    assert any("H.265" in text for _, text in other.remarks)


@pytest.mark.parametrize(
    ("script", "status", "word"),
    [
        ([LOST], {}, "It is gone."),
        ([], {"connected": False}, "Nothing answered"),
        ([], {"connected": True, "packets": 0}, "sent nothing"),
        ([], {"connected": True, "packets": 9}, "no key frame"),
    ],
)
def test_nothing_to_record_is_bad(script: list[Any], status: dict[str, Any], word: str) -> None:
    """With the reason, and what to look at."""
    found = _try(script, **status)
    assert (found.verdict, found.key) == ("bad", None)
    assert word in found.sentence
    assert found.next_step


def test_a_jump_of_time_does_not_spoil_the_figures() -> None:
    """Only what came after it counts."""

    class Jumping(FakeSource):
        def poll(self, now: float) -> None:
            if self.status.pictures == 50:
                self._sink.on_discontinuity()
            super().poll(now)

    clock = FakeClock()
    later = _stream(8, 25, 1)
    for step in later[1:]:
        for unit in step:
            unit.pts += 10**9
    found = probe(
        StreamAddress("rtsp://camera/"),
        20.0,
        clock,
        make_source=lambda _, sink, its, **__: Jumping(sink, its, [*_stream(2, 25, 1), *later]),
        pause=lambda _: clock.advance(0.1),
    )
    assert (found.verdict, found.fps) == ("good", 25.0)
