"""How loud it is, second by second, whatever the codec; off unless asked for; only levels come out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from beholden.analyse.decode import DecodeError
from beholden.analyse.listen import Ear, Listener
from beholden.analyse.loudness import SILENT_DB, Loudness, SoundDecoder
from beholden.bus.fake import FakeBus
from beholden.model.camera import StreamRole
from beholden.model.levels import pack_levels, unpack_levels
from beholden.model.media import AccessUnit, AudioCodec, AudioFormat, StreamFormat, Track, VideoFormat

from .test_analyser import camera

START = 1_767_225_600  # seconds since the epoch
VIDEO = VideoFormat("h264", 320, 180, (b"\x67\x42\x00\x1e", b"\x68\xce\x3c\x80"))
_ENCODERS = {
    "aac": ("aac", 16000),
    "pcmu": ("pcm_mulaw", 8000),
    "pcma": ("pcm_alaw", 8000),
    "opus": ("libopus", 48000),
}


def tone(levels_db: list[float], rate: int) -> np.ndarray:
    """One second of a tone at each level (dB of full scale, root mean square), as 16-bit samples."""
    swing = np.sin(np.arange(rate) * 440 * 2 * np.pi / rate) * np.sqrt(2)
    waves = [swing * 10 ** (level / 20) for level in levels_db]
    return np.clip(np.concatenate(waves) * 32768, -32768, 32767).astype(np.int16)


def sound(codec: AudioCodec, levels_db: list[float]) -> tuple[AudioFormat, list[AccessUnit]]:
    """A tone as a camera sends it, from START on."""
    if codec == "l16":
        rate, wave = 8000, tone(levels_db, 8000)
        pieces = [wave[at : at + 160].astype(">i2").tobytes() for at in range(0, len(wave), 160)]
        return AudioFormat("l16", rate, 1), units(pieces, rate, 160)
    name, rate = _ENCODERS[codec]
    context: Any = av.CodecContext.create(name, "w")
    context.sample_rate, context.layout = rate, "mono"
    context.format = context.codec.audio_formats[0]
    context.open()
    size, wave, packets = context.frame_size or rate // 50, tone(levels_db, rate), []
    resampler = av.AudioResampler(format=context.format, layout="mono", rate=rate)
    for at in range(0, len(wave) - size + 1, size):
        frame = av.AudioFrame.from_ndarray(wave[None, at : at + size], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, at
        for ready in resampler.resample(frame):
            packets += context.encode(ready)
    config = bytes(context.extradata or b"") if codec == "aac" else b""
    return AudioFormat(codec, rate, 1, config), units([bytes(packet) for packet in packets], rate, size)


def units(pieces: list[bytes], rate: int, size: int) -> list[AccessUnit]:
    """Access units of pieces that follow each other."""
    return [
        AccessUnit(Track.AUDIO, START * rate + number * size, True, (piece,), len(piece), 0, size)
        for number, piece in enumerate(pieces)
    ]


@pytest.mark.parametrize("codec", ["aac", "pcmu", "pcma", "opus", "l16"])
def test_levels_are_right(codec: AudioCodec) -> None:
    """A tone's level is told to 2 dB, from near silence to near full scale."""
    form, pieces = sound(codec, [-40.0, -40.0, -20.0, -20.0, -6.0, -6.0, -40.0])
    ear = Ear()
    ear.put(form)
    found = []
    for piece in pieces:
        ear.put(piece)
        found += ear.seconds()
    levels = {second.second - START: second.level_db for second in found}
    # The second of two at a level, so that what a codec smears over the edge does not matter.
    assert [levels[at] for at in (1, 3, 5)] == pytest.approx([-40, -20, -6], abs=2)


def test_silence_is_the_least_there_is() -> None:
    """Zeros are -90 dB, not minus infinity."""
    form, pieces = sound("l16", [-300.0, -300.0])
    ear = Ear()
    ear.put(form)
    for piece in pieces:
        ear.put(piece)
    assert [second.level_db for second in ear.seconds()] == [SILENT_DB]


def test_what_stands_out_is_loud_for_the_place() -> None:
    """10 dB above what was usual; a noise that stays becomes usual after minutes and stands out no more."""
    loudness, told = Loudness(), []
    levels = [-50.0] * 100 + [-20.0] + [-50.0] * 20 + [-30.0] * 400 + [-28.0]
    for at, level in enumerate([*levels, -28.0]):
        done = loudness.hear((START + at) * 1000, 10 ** (level / 10))
        if done is not None:
            told.append(done.stands_out)
    assert not any(told[:100])
    assert told[100]
    assert not any(told[101:121])
    assert told[121]
    assert not any(told[300:])


def test_the_loudest_moment_counts() -> None:
    """A bang of a fiftieth of a second is as loud as it was, not a fiftieth of it."""
    loudness = Loudness()
    for part in range(50):
        loudness.hear(START * 1000 + part * 20, 0.25 if part == 10 else 1e-6)
    done = loudness.hear((START + 1) * 1000, 1e-6)
    assert done is not None
    assert done.level_db == pytest.approx(-6.0, abs=0.1)


def test_damaged_sound_is_left_alone() -> None:
    """Bad pieces are skipped; after many in a row nothing is tried until the format comes again."""
    ear = Ear()
    form, pieces = sound("aac", [-20.0, -20.0])
    ear.put(form)
    for number in range(100):
        ear.put(AccessUnit(Track.AUDIO, START * 16000 + number, True, (b"\xff\xf1junk",), 6, 0, 1024))
    with pytest.raises(DecodeError):
        ear.seconds()
    assert ear.seconds() == []
    ear.put(pieces[0])
    assert ear.seconds() == []
    ear.put(None)
    ear.put(form)
    for piece in pieces:
        ear.put(piece)
    assert ear.seconds() != []


def test_an_unusable_format_is_told() -> None:
    """Not a crash."""
    with pytest.raises(DecodeError):
        list(
            SoundDecoder(AudioFormat("aac", 16000, 1, b"\xff\xff\xff")).powers(
                units([b"x" * 50], 16000, 1024)[0]
            )
        )


def test_levels_come_back_from_disk() -> None:
    """To half a decibel; seconds that were not heard are none."""
    first_ms, payload = pack_levels({START: -90.0, START + 1: -12.3, START + 4: 0.0})
    assert len(payload) == 5
    back = list(unpack_levels(first_ms, payload))
    assert back == [(START, -90.0), (START + 1, -12.5), (START + 4, 0.0)]


class Heard:
    """Remembers."""

    def __init__(self) -> None:
        self.levels: list[tuple[int, int, float]] = []

    def heard(self, number: int, at_ms: int, level_db: float) -> None:
        """One more."""
        self.levels.append((number, at_ms // 1000 - START, level_db))


@pytest.fixture
def hall() -> Iterator[tuple[Listener, Heard, Heard, list[FakeBus]]]:
    """A listener, who it tells, and the buses it opened."""
    memory, rules, buses = Heard(), Heard(), list[FakeBus]()

    def connect(_: Path) -> FakeBus:
        buses.append(FakeBus())
        return buses[-1]

    listener = Listener(memory, rules, connect, lambda shard: Path(f"{shard}.sock"))
    yield listener, memory, rules, buses
    listener.close()


def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_only_cameras_that_are_set_to_are_listened_to(
    hall: tuple[Listener, Heard, Heard, list[FakeBus]],
) -> None:
    """By default none; when it is switched off again, its stream is let go."""
    listener, memory, rules, buses = hall
    listener.configure([camera(1), camera(2, listen=True), camera(3, listen=True, enabled=False)])
    until(lambda: buses and buses[-1].subscribed)
    assert buses[-1].subscribed == {(2, StreamRole.MAIN)}
    form, pieces = sound("pcmu", [-50.0] * 4 + [-10.0, -50.0])
    buses[-1].push_format(2, StreamRole.MAIN, StreamFormat(VIDEO, form))
    for piece in pieces:
        buses[-1].push_unit(2, StreamRole.MAIN, piece)
    until(lambda: len(memory.levels) >= 5)
    assert [at for _, at, _ in memory.levels] == [0, 1, 2, 3, 4]
    assert {number for number, _, _ in memory.levels} == {2}
    assert memory.levels[4][2] == pytest.approx(-10, abs=2)
    told = {at: level for _, at, level in rules.levels}
    assert [told[at] for at in range(4)] == [SILENT_DB] * 4
    assert told[4] == memory.levels[4][2]
    listener.configure([camera(2)])
    until(lambda: buses[-1].closed)


def test_a_stream_without_sound_says_nothing(hall: tuple[Listener, Heard, Heard, list[FakeBus]]) -> None:
    """And the next one with sound is heard."""
    listener, memory, _, buses = hall
    listener.configure([camera(2, listen=True)])
    until(lambda: buses and buses[-1].subscribed)
    form, pieces = sound("aac", [-20.0] * 3)
    buses[-1].push_format(2, StreamRole.MAIN, StreamFormat(VIDEO, None))
    for piece in pieces:
        buses[-1].push_unit(2, StreamRole.MAIN, piece)
    buses[-1].push_format(2, StreamRole.MAIN, StreamFormat(VIDEO, form))
    for piece in pieces:
        buses[-1].push_unit(2, StreamRole.MAIN, piece)
    until(lambda: memory.levels)
    assert memory.levels[0][1] == 0
