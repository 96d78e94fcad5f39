"""Playlists: byte ranges that add up, times that are told, and gaps that are marked."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beholden.catalog import leaving, segments
from beholden.catalog.segments import MediaFormat
from beholden.demo.synthetic import read_frame_number
from beholden.model.camera import StreamRole
from beholden.model.deletion import Reason
from beholden.model.errors import BeholdenError
from beholden.model.segment import FragmentEntry, FragmentFlag, SegmentKey
from beholden.model.time import TICKS_PER_MS, parse_rfc3339
from beholden.play.ability import Ability
from beholden.play.convert import convert, converted_init
from beholden.play.footage import Footage, Recording, cut
from beholden.play.playlist import choose_pieces, grouped, playback, render
from beholden.store.volume import Volume

START_MS = 1_767_225_600_000
EVERYTHING = Ability.parse("avc1,hvc1,mp4a,opus,flac")


def recording(
    start_ms: int, lengths: list[int], *, init: bytes = b"init", growing: bool = False
) -> Recording:
    """A file with one fragment a GOP; ``lengths`` in ms, sizes made from them."""
    media = MediaFormat(1, init, "h264", "avc1.640028", 320, 180, "aac", "mp4a.40.2", 16_000)
    entries = tuple(FragmentEntry(1000 + ms, ms * TICKS_PER_MS, 10, FragmentFlag.KEY) for ms in lengths)
    key = SegmentKey(1, StreamRole.MAIN, start_ms, 0)
    return Recording(key, Path("none"), start_ms * TICKS_PER_MS, media, entries, growing)


def text_of(files: list[Recording], start_ms: int, end_ms: int, ability: Ability = EVERYTHING) -> str:
    """The playlist of these files."""
    return render(list(choose_pieces(cut(files, start_ms, end_ms), ability)))


def test_byte_ranges_of_whole_files_add_up_to_the_files(archive: Any, clip_factory: Any) -> None:
    """The init segment and every range, put together, are each file byte for byte."""
    keys = [archive.record(clip_factory(audio="aac"), START_MS + 4000 * n, rounds=2) for n in range(2)]
    found = playback(archive.footage, archive.camera, START_MS, START_MS + 60_000, EVERYTHING)
    for key in keys:
        data = archive.volume.path_of(key).read_bytes()
        url = re.escape(f"/media/segments/{archive.camera}/main/{key.start_ms}-0.mp4")
        ranges = re.findall(rf"#EXT-X-BYTERANGE:(\d+)@(\d+)\n{url}", found.playlist)
        at = archive.footage.get(key).media.init
        assert data.startswith(at)
        position = len(at)
        for size, offset in ranges:
            assert int(offset) == position
            position += int(size)
        assert position == len(data)


def test_every_hls_segment_begins_with_a_keyframe(archive: Any, clip_factory: Any) -> None:
    """Though fragments in the file do not: a GOP of two seconds lies in fragments of half a second."""
    archive.record(clip_factory(gop=20, seconds=4), fragment_ms=500)
    recorded = archive.footage.between(archive.camera, StreamRole.MAIN, START_MS, START_MS + 60_000)[0]
    assert len(recorded.fragments) > len(recorded.gops()) == 2
    found = playback(archive.footage, archive.camera, START_MS, START_MS + 60_000, EVERYTHING)
    assert found.playlist.count("#EXTINF:2.000000,") == 2
    assert "#EXT-X-TARGETDURATION:2\n" in found.playlist


def test_a_growing_file_gives_its_whole_gops_and_no_more(archive: Any, clip_factory: Any) -> None:
    """The newest GOP may still grow, so its byte range would be wrong a moment later."""
    archive.record(clip_factory(), growing=True, rounds=2)
    found = playback(archive.footage, archive.camera, START_MS, START_MS + 60_000, EVERYTHING)
    assert found.playlist.count("#EXTINF") == 3
    assert found.spans == [(START_MS, START_MS + 3000)]


def test_a_cut_fragment_at_the_end_is_left_out(archive: Any, clip_factory: Any) -> None:
    """A file may be read while the recorder writes into it."""
    key = archive.record(clip_factory(), growing=True, rounds=2)
    path = archive.volume.path_of(key)
    path.write_bytes(path.read_bytes()[:-100])
    found = playback(archive.footage, archive.camera, START_MS, START_MS + 60_000, EVERYTHING)
    assert found.playlist.count("#EXTINF") == 2


def test_a_gap_is_a_discontinuity_with_its_own_date() -> None:
    """The player learns when it is after footage is missing."""
    text = text_of([recording(0, [1000, 1000]), recording(10_000, [1000])], 0, 60_000)
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert re.findall("DATE-TIME:(.*)", text) == ["1970-01-01T00:00:00.000Z", "1970-01-01T00:00:10.000Z"]
    assert text.count("#EXT-X-MAP") == 1


def test_files_that_meet_are_played_through() -> None:
    """A new file is no new timeline, within the quarter second that rounding and jitter make."""
    text = text_of([recording(0, [1000]), recording(1100, [1000])], 0, 60_000)
    assert "DISCONTINUITY" not in text


def test_a_new_format_has_its_own_init_segment() -> None:
    """After the camera's resolution changed."""
    text = text_of([recording(0, [1000]), recording(1000, [1000], init=b"other")], 0, 60_000)
    assert text.count("#EXT-X-MAP") == 2
    assert text.count("init.mp4?as=copy-copy") == 2
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1


def test_a_change_of_codec_is_played_through(archive: Any, clip_factory: Any) -> None:
    """Every piece of the list decodes under the init segment before it, as recorded or converted, and the
    pictures run on."""
    kinds = ["h264", "av1", "mjpeg", "h265", "h264"]
    for turn, codec in enumerate(kinds):
        archive.record(clip_factory(codec=codec, height=192, audio="aac"), START_MS + turn * 2000)
    found = archive.footage.between(archive.camera, StreamRole.MAIN, START_MS, START_MS + 60_000)
    ability = Ability.parse("avc1,av01,mp4a,flac")
    text = playback(archive.footage, archive.camera, START_MS, START_MS + 60_000, ability).playlist
    assert text.count("#EXT-X-MAP") == 5
    assert text.count("#EXT-X-DISCONTINUITY\n") == 4
    shown: dict[int, list[int | None]] = {}
    for piece in choose_pieces(cut(found, START_MS, START_MS + 60_000), ability):
        init, way, turn = piece.recording.media.init, piece.rendition, found.index(piece.recording)
        assert way.video == ("copy" if kinds[turn] in ("h264", "av1") else "h264")
        data = piece.recording.path.read_bytes()[piece.gop.offset : piece.gop.offset + piece.gop.size]
        if not way.as_recorded:
            init, data = converted_init(init, way), convert(init, data, way)
        with av.open(io.BytesIO(init + data)) as container:
            numbers = [read_frame_number(f.to_ndarray(format="gray")) for f in container.decode(video=0)]
        shown.setdefault(turn, []).extend(numbers)
    assert shown == {turn: [*range(20)] for turn in range(5)}


def test_another_recorders_copy_of_the_same_time_is_not_played_twice() -> None:
    """Two files of one instant differ in their epoch."""
    text = text_of([recording(0, [1000, 1000]), recording(200, [1000, 1000])], 0, 60_000)
    assert text.count("#EXTINF") == 2


def test_what_the_browser_cannot_play_is_addressed_as_a_conversion(archive: Any, clip_factory: Any) -> None:
    """By number of fragment and count, with the init segment of the conversion."""
    archive.record(clip_factory(codec="h265", audio="pcmu"))
    found = playback(
        archive.footage, archive.camera, START_MS, START_MS + 9000, Ability.parse("avc1,mp4a,flac")
    )
    assert (found.video, found.audio, found.converted) == ("converted to H.264", "converted to FLAC", True)
    base = f"/media/segments/1/main/{START_MS}-0"
    assert f'#EXT-X-MAP:URI="{base}/init.mp4?as=h264-flac"' in found.playlist
    assert f"{base}/0.m4s?as=h264-flac&fragments=1\n" in found.playlist
    assert "BYTERANGE" not in found.playlist


def test_a_browser_that_plays_neither_is_told(archive: Any, clip_factory: Any) -> None:
    """Rather than being given bytes it will choke on."""
    archive.record(clip_factory(codec="h265"))
    with pytest.raises(BeholdenError) as caught:
        playback(archive.footage, archive.camera, START_MS, START_MS + 9000, Ability.parse("vp9"))
    assert caught.value.code == "cannot_play"


@pytest.mark.parametrize(("start", "end"), [(5000, 5000), (5000, 4000), (0, 25 * 3_600_000)])
def test_a_range_of_nothing_or_more_than_a_day_is_refused(archive: Any, start: int, end: int) -> None:
    """A playlist of a week would be larger than what it lists."""
    with pytest.raises(BeholdenError) as caught:
        playback(archive.footage, archive.camera, start, end, EVERYTHING)
    assert caught.value.code == "bad_range"


def test_nothing_recorded_is_an_empty_playlist(archive: Any) -> None:
    """Well formed, so that a player ends quietly."""
    found = playback(archive.footage, archive.camera, START_MS, START_MS + 9000, EVERYTHING)
    assert found.spans == []
    assert found.playlist.endswith("#EXT-X-ENDLIST\n")


FILES = st.lists(
    st.tuples(
        st.integers(0, 20_000),  # ms without footage before the file
        st.lists(st.integers(40, 12_000), min_size=1, max_size=6),
        st.sampled_from([b"one", b"other!"]),
    ),
    min_size=1,
    max_size=6,
)


def laid_out(files: list[tuple[int, list[int], bytes]]) -> list[Recording]:
    """Recordings one after the other."""
    at, found = START_MS, []
    for pause, lengths, init in files:
        at += pause
        found.append(recording(at, lengths, init=init))
        at += sum(lengths)
    return found


@settings(max_examples=150, deadline=None)
@given(FILES, st.integers(-5000, 90_000), st.integers(1, 90_000), st.integers(1, 9))
def test_any_range_over_any_files(
    files: list[tuple[int, list[int], bytes]], start: int, length: int, limit: int
) -> None:
    """Each GOP in the range is there once, in order, in ranges that lie side by side; no duration exceeds the
    target; every date is true; grouping loses nothing and never joins over a gap or a file."""
    recordings = laid_out(files)
    begin, end = START_MS + start, START_MS + start + length
    pieces = list(choose_pieces(cut(recordings, begin, end), EVERYTHING))
    wanted = [
        (r.key, gop.offset, gop.size)
        for r in recordings
        for gop in r.gops()
        if gop.end > begin * TICKS_PER_MS and gop.time < end * TICKS_PER_MS
    ]
    assert [(p.recording.key, p.gop.offset, p.gop.size) for p in pieces] == wanted
    together = grouped(pieces, limit)
    assert sum(p.gop.size for p in together) == sum(size for _, _, size in wanted)
    assert sum(p.gop.fragments for p in together) == len(wanted)
    assert [p.gop.time for p in together if p.fresh] == [p.gop.time for p in pieces if p.fresh]
    text = render(together)
    target = int(re.search(r"TARGETDURATION:(\d+)", text)[1])  # type: ignore[index]
    lengths = [float(value) for value in re.findall(r"#EXTINF:([\d.]+),", text)]
    assert all(0 < value <= target for value in lengths)
    assert len(lengths) == len(together)
    starts = {p.gop.time // TICKS_PER_MS for p in together}
    assert {parse_rfc3339(date) for date in re.findall("DATE-TIME:(.*)", text)} <= starts
    assert text.count("#EXT-X-MAP") <= text.count("DISCONTINUITY") + bool(pieces)


def test_footage_is_found_on_the_volume_its_row_names(
    archive: Any, clip_factory: Any, tmp_path: Path
) -> None:
    """After it moved to a slower tier it plays from there, byte for byte; on a volume that is not known, or
    when it is about to be deleted, there is nothing to show."""
    key = archive.record(clip_factory())
    data = archive.volume.path_of(key).read_bytes()
    slow = Volume.create(tmp_path / "slow")
    os.close(slow.begin_copy(key))
    (tmp_path / "slow" / ".copies" / key.path().replace("/", "_")).write_bytes(data)
    slow.finish_copy(key)
    with archive.catalog.write() as conn:
        (row,) = segments.on_volume(conn, archive.volume_id)
        segments.move(conn, 0, [row], 2)
    archive.volume.delete(key)
    known = Footage(archive.catalog, {archive.volume_id: archive.volume, 2: slow})
    assert known.get(key).path.read_bytes() == data
    (found,) = known.between(archive.camera, StreamRole.MAIN, 0, 1 << 62)
    assert found.path == slow.path_of(key)
    assert archive.footage.between(archive.camera, StreamRole.MAIN, 0, 1 << 62) == []
    with archive.catalog.write() as conn:
        leaving.mark(conn, 0, leaving.runs(segments.on_volume(conn, 2)), Reason.SPACE)
    assert known.between(archive.camera, StreamRole.MAIN, 0, 1 << 62) == []
    with pytest.raises(BeholdenError, match="no recording"):
        known.get(key)
