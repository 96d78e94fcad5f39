"""From access units to pictures, and what garbage costs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beholden.analyse.decode import DecodeError, Decoder
from beholden.analyse.extradata import extradata
from beholden.demo.synthetic import read_frame_number
from beholden.model.media import VideoCodec, VideoFormat

from .conftest import START_MS, Coded, blank, coded, decoded, write_clip


@pytest.fixture(scope="module")
def square(moving_square: Path) -> Coded:
    """The clip's units."""
    return coded(moving_square)


def test_every_unit_gives_its_picture_and_time(square: Coded) -> None:
    """Pictures come out one by one, with the time of their unit."""
    decoder = Decoder(square.video)
    for unit in square.units:
        pictures = decoder.decode(unit.data(), unit.pts)
        assert [picture.at_ms for picture in pictures] == [unit.pts // 90]


def test_luma_is_a_view_of_the_right_shape(square: Coded) -> None:
    """No copy, cropped to the picture, and the square is where it was drawn."""
    decoder = Decoder(square.video)
    pictures = [p for unit in square.units[:31] for p in decoder.decode(unit.data(), unit.pts)]
    luma = pictures[30].luma()
    assert luma.shape == (180, 320)
    assert not luma.flags.owndata
    assert luma[90, 100] > 170 > 120 > luma[90, 250]


def test_colours_can_be_shrunk_and_keep_their_shape(square: Coded) -> None:
    """The whole picture by default; smaller when asked, never larger."""
    picture = decoded(blank(360, 640), START_MS)
    assert picture.bgr().shape == (360, 640, 3)
    assert picture.bgr(320, 320).shape == (180, 320, 3)
    assert picture.bgr(6400, 6400).shape == (360, 640, 3)


def test_keyframes_alone_give_their_pictures(square: Coded) -> None:
    """Each keyframe is complete by itself, with nothing between."""
    decoder = Decoder(square.video)
    keys = [unit for unit in square.units if unit.key]
    times = [p.at_ms for unit in keys for p in decoder.decode_keyframe(unit.data(), unit.pts)]
    assert times == [unit.pts // 90 for unit in keys]


@pytest.mark.parametrize("codec", ["av1", "mjpeg"])
def test_av1_and_motion_jpeg_are_decoded_too(clip_factory: Callable[..., Path], codec: VideoCodec) -> None:
    """Picture by picture, and a keyframe alone, without anything told beforehand."""
    with av.open(str(clip_factory(codec=codec, height=192))) as container:
        samples = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    video = VideoFormat(codec, 320, 192, ())
    decoder = Decoder(video)
    pictures = [picture for n, sample in enumerate(samples) for picture in decoder.decode(sample, n * 9000)]
    assert [read_frame_number(picture.luma()) for picture in pictures] == [*range(20)]
    (alone,) = Decoder(video).decode_keyframe(samples[10], 0)
    assert read_frame_number(alone.luma()) == 10


def test_ten_bit_luma_is_brought_to_eight() -> None:
    """A ten-bit stream gives an ordinary brightness plane."""
    frame = av.VideoFrame.from_ndarray(blank(64, 96, 200), format="bgr24").reformat(format="yuv420p10le")
    from beholden.analyse.decode import Decoded

    luma = Decoded(frame, 0).luma()
    assert luma.dtype == np.uint8
    assert luma.shape == (64, 96)
    assert abs(int(luma[5, 5]) - int(decoded(blank(64, 96, 200), 0).luma()[5, 5])) <= 30


def test_a_bad_sample_costs_that_picture_only(square: Coded) -> None:
    """After garbage the next keyframe decodes as if nothing had been."""
    decoder = Decoder(square.video)
    decoder.decode(square.units[0].data(), square.units[0].pts)
    with pytest.raises(DecodeError):
        decoder.decode(b"\x00\x00\xff\xff\x65garbage", square.units[1].pts)
    key = square.units[10]
    assert key.key
    assert decoder.decode(key.data(), key.pts)[0].at_ms == key.pts // 90


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400), st.integers(0, 2**62))
def test_any_bytes_are_a_picture_or_a_decode_error(square: Coded, sample: bytes, pts: int) -> None:
    """Nothing a camera sends does more than that."""
    decoder = Decoder(square.video)
    try:
        decoder.decode(sample, pts)
    except DecodeError:
        return


@given(st.lists(st.binary(max_size=40), max_size=4), st.sampled_from(["h264", "h265"]))
def test_any_parameter_sets_are_a_record_or_an_error(sets: list[bytes], codec: str) -> None:
    """A record, or ValueError; no other failure."""
    try:
        assert extradata(VideoFormat(codec, 16, 16, tuple(sets)))[0] == 1  # type: ignore[arg-type]
    except ValueError:
        return


def test_useless_parameters_are_told(square: Coded) -> None:
    """A format without parameter sets gives an error with words."""
    with pytest.raises(DecodeError, match="parameters"):
        Decoder(VideoFormat("h264", 320, 180, ()))


def test_h265_decodes_with_its_record(tmp_path: Path) -> None:
    """An H.265 stream as a recorder relays it: parameter sets apart, samples with lengths."""
    if "libx265" not in av.codecs_available:
        pytest.skip("this PyAV has no H.265 encoder to make a clip with")
    path = write_clip(
        tmp_path / "clip.mp4", (blank(180, 320, 40 + 20 * n) for n in range(6)), 5, 5, "libx265"
    )
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        record = bytes(stream.codec_context.extradata or b"")
        sets, at = [], 23
        for _ in range(record[22]):
            count, at = int.from_bytes(record[at + 1 : at + 3], "big"), at + 3
            for _ in range(count):
                size = int.from_bytes(record[at : at + 2], "big")
                sets.append(record[at + 2 : at + 2 + size])
                at += 2 + size
        wanted = [nal for nal in sets if nal[0] >> 1 & 0x3F in (32, 33, 34)]
        decoder = Decoder(VideoFormat("h265", 320, 180, tuple(wanted)))
        packets = [bytes(packet) for packet in container.demux(stream) if packet.size]
    pictures = [p for n, data in enumerate(packets) for p in decoder.decode(data, n * 9000)]
    pictures += []
    assert pictures
    assert pictures[0].luma().shape == (180, 320)


FLIPPED = bytes(255 - byte for byte in range(256))


def flipped(sample: bytes) -> bytes:
    """With its second half wrong."""
    half = len(sample) // 2
    return sample[:half] + sample[half:].translate(FLIPPED)


def seen_of(video: VideoFormat, samples: list[bytes | None]) -> list[int]:
    """The numbers of the samples that gave a picture; None is a sample that never came."""
    decoder, seen = Decoder(video), []
    for number, sample in enumerate(samples):
        if sample is not None:
            with contextlib.suppress(DecodeError):
                seen += [picture.at_ms for picture in decoder.decode(sample, number * 90)]
    return seen


@pytest.fixture(scope="module")
def grain(tmp_path_factory: pytest.TempPathFactory) -> Coded:
    """Sensor noise, so that pictures between keyframes have something in them; GOPs of ten."""
    random = np.random.default_rng(4)
    pictures = (random.normal(110, 12, (180, 320, 3)).clip(0, 255).astype(np.uint8) for _ in range(30))
    return coded(write_clip(tmp_path_factory.mktemp("grain") / "grain.mp4", pictures, 10, 10))


@pytest.mark.parametrize("harm", ["flipped", "cut", "missing"])
def test_what_builds_on_a_damaged_picture_is_left_out(grain: Coded, harm: str) -> None:
    """Up to the next keyframe: a decoder shows patches there and says so of the first alone, or of none."""
    samples: list[bytes | None] = [unit.data() for unit in grain.units]
    hurt = grain.units[13].data()
    samples[13] = {"flipped": flipped(hurt), "cut": hurt[: len(hurt) // 2], "missing": None}[harm]
    assert seen_of(grain.video, samples) == [*range(13), *range(20, 30)]


def test_a_damaged_keyframe_is_refused(grain: Coded) -> None:
    """With what follows it, also when keyframes alone are decoded or glanced at."""
    samples: list[bytes | None] = [unit.data() for unit in grain.units]
    samples[10] = flipped(grain.units[10].data())
    assert seen_of(grain.video, samples) == [*range(10), *range(20, 30)]
    for decode in (Decoder(grain.video).decode_keyframe, Decoder(grain.video).glance):
        with pytest.raises(DecodeError):
            decode(flipped(grain.units[10].data()), 0)
        assert len(decode(grain.units[20].data(), 90)) == 1


def test_a_glance_leaves_decoding_as_it_was(grain: Coded) -> None:
    """In the middle of a GOP a glance at a keyframe disturbs nothing, and shows nearly the same."""
    decoder, other = Decoder(grain.video), Decoder(grain.video)
    for number, unit in enumerate(grain.units[:15]):
        glanced = decoder.glance(grain.units[10].data(), 0)[0].luma().astype(int)
        one, two = (
            decoder.decode(unit.data(), unit.pts)[0].luma(),
            other.decode(unit.data(), unit.pts)[0].luma(),
        )
        assert np.array_equal(one, two)
        if number == 10:
            assert np.abs(glanced - one).mean() < 3
