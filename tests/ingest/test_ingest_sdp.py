"""Session descriptions as cameras write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholden.ingest import sdp
from beholden.ingest.rtp.aac import AacLayout
from beholden.model.media import AudioFormat

AUDIO = (
    "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000/1\r\n"
    "a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;SizeLength=13; indexLength=3;config=1408\r\n"
)


def test_a_description_gives_codec_sets_and_control(
    coded: Callable[..., Any], describe: Callable[..., str]
) -> None:
    """What a client needs of a usual camera."""
    for codec in ("h264", "h265"):
        made = coded(codec)
        found = sdp.parse(describe(made, AUDIO))
        video, audio = found.media
        assert (sdp.video_codec(video), video.control, found.control) == (codec, "track1", "*")
        assert sdp.parameter_sets(video) == made.sets
        assert sdp.audio_format(audio) == AudioFormat("aac", 16_000, 1, b"\x14\x08")
        assert sdp.aac_layout(audio) == AacLayout(13, 3, 1024)


def test_static_payload_types_need_no_rtpmap() -> None:
    """G.711 is named by number alone."""
    media = sdp.parse("m=audio 0 RTP/AVP 8\nm=audio 0 RTP/AVP 0\nm=video 0 RTP/AVP 26\n").media
    assert [sdp.audio_format(one) for one in media[:2]] == [
        AudioFormat("pcma", 8000, 1),
        AudioFormat("pcmu", 8000, 1),
    ]
    assert (media[2].encoding, sdp.video_codec(media[2])) == ("JPEG", "mjpeg")
    fixed = sdp.parse("m=audio 0 RTP/AVP 10\nm=audio 0 RTP/AVP 11\n").media
    assert [sdp.audio_format(one) for one in fixed] == [
        AudioFormat("l16", 44_100, 2),
        AudioFormat("l16", 44_100, 1),
    ]


@pytest.mark.parametrize(
    ("rtpmap", "kept"),
    [
        ("L16/16000", (16_000, 1)),
        ("L16/48000/2", (48_000, 2)),
        ("L16/96000/2", None),
        ("L16/8000/6", None),
    ],
)
def test_l16_is_kept_up_to_48_khz_and_two_channels(rtpmap: str, kept: tuple[int, int] | None) -> None:
    """Beyond that no player of recordings is sure to follow."""
    media = sdp.parse(f"m=audio 0 RTP/AVP 97\na=rtpmap:97 {rtpmap}\n").media[0]
    assert sdp.audio_format(media) == (AudioFormat("l16", *kept) if kept else None)


def test_av1_is_known() -> None:
    """By its name; the description says nothing of its sequence header."""
    text = "m=video 0 RTP/AVP 98\na=rtpmap:98 AV1/90000\na=fmtp:98 profile=0;level-idx=8\n"
    media = sdp.parse(text).media[0]
    assert (sdp.video_codec(media), sdp.parameter_sets(media)) == ("av1", ())


def test_a_back_channel_is_not_sound_from_the_camera() -> None:
    """ONVIF's sendonly section goes the other way."""
    media = sdp.parse("m=audio 0 RTP/AVP 0\r\na=sendonly\r\n").media[0]
    assert sdp.audio_format(media) is None


def test_aac_without_config_is_built_from_the_rtpmap() -> None:
    """LC at the stated rate and channels."""
    media = sdp.parse("m=audio 0 RTP/AVP 97\na=rtpmap:97 mpeg4-generic/48000/2\n").media[0]
    assert sdp.audio_format(media) == AudioFormat("aac", 48_000, 2, b"\x11\x90")


def test_sbr_at_twice_the_core_rate_has_frames_of_2048() -> None:
    """A clock at the doubled rate counts double samples."""
    text = "m=audio 0 RTP/AVP 97\na=rtpmap:97 mpeg4-generic/48000/2\na=fmtp:97 config=1310\n"
    assert sdp.aac_layout(sdp.parse(text).media[0]).frame_samples == 2048


def test_unknown_sound_is_no_format() -> None:
    """G.726 is left out; the video does not suffer for it."""
    media = sdp.parse("m=audio 0 RTP/AVP 97\na=rtpmap:97 G726-32/8000\n").media[0]
    assert sdp.audio_format(media) is None


LINES = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.builds(
            "a=rtpmap:{} {}/{}".format,
            st.integers(-1, 999),
            st.text(max_size=9),
            st.text("0123456789/", max_size=9),
        ),
        st.builds("a=fmtp:{} {}".format, st.integers(90, 100), st.text(max_size=60)),
        st.builds("m={} 0 RTP/AVP {}".format, st.sampled_from(["audio", "video", "x"]), st.integers(-1, 200)),
        st.sampled_from(
            ["a=rtpmap:97 MPEG4-GENERIC/48000/2", "a=rtpmap:96 H264/90000", "m=video 0 RTP/AVP 96"]
        ),
    ),
    max_size=30,
)


@given(LINES)
def test_any_description_is_survived(lines: list[str]) -> None:
    """No text makes it fail, and what it gives can be asked everything."""
    for media in sdp.parse("\n".join(lines)).media:
        sdp.video_codec(media)
        sdp.parameter_sets(media)
        found = sdp.audio_format(media)
        if found is not None and found.codec == "aac":
            assert sdp.aac_layout(media).frame_samples in (1024, 2048)
