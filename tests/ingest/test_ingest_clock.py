"""The map from RTP time to the wall."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beholden.ingest.clock import AUDIO_SLACK_MS, LOST_TOUCH_TICKS, MOST_PPM, AudioClock, VideoClock

START = 1_767_225_600_000 * 90
STEP = 3600
GOP = 25


def _play(
    clock: VideoClock, stamps: Iterable[int], arrivals: Iterable[int], gop: int = GOP
) -> list[tuple[int, bool]]:
    """Places pictures, a keyframe every ``gop``; (pts, jumped)."""
    out = []
    for number, (stamp, arrival) in enumerate(zip(stamps, arrivals, strict=True)):
        pts = clock.place(stamp & 0xFFFFFFFF, number % gop == 0, arrival)
        out.append((pts, clock.jumped))
        clock.jumped = False
    return out


def _even(count: int, start: int = 0, step: int = STEP) -> list[int]:
    return [start + step * number for number in range(count)]


def test_the_first_picture_is_where_it_arrived_and_others_keep_their_distance() -> None:
    """Media time is kept to the tick, across the wrap of 32 bits."""
    placed = _play(VideoClock(), _even(200, 0xFFFFF000), _even(200, START))
    assert placed == [(START + STEP * number, False) for number in range(200)]


@settings(max_examples=20, deadline=None)
@given(st.integers(-500, 500), st.integers(0, 2**32))
def test_drift_is_followed_within_the_bound_and_in_order(ppm: int, seed: int) -> None:
    """A camera off by up to 500 ppm whose pictures come up to 100 ms late: no jump, times rise, the rate is
    bent by less than the bound, and in the end the map is close to the earliest arrivals."""
    true = [START + number * STEP for number in range(3000)]
    chance = random.Random(seed)
    delays = [chance.randint(0, 9000) for _ in true]
    stamps = [number * STEP * (1_000_000 + ppm) // 1_000_000 for number in range(3000)]
    placed = _play(VideoClock(), stamps, [at + delay for at, delay in zip(true, delays, strict=True)])
    times = [pts for pts, _ in placed]
    assert not any(jumped for _, jumped in placed)
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    bends = [
        abs((times[at + 250] - times[at]) - (stamps[at + 250] - stamps[at])) for at in range(0, 2750, 25)
    ]
    assert max(bends) <= 2 * 250 * STEP * MOST_PPM // 1_000_000 + 2
    assert abs(times[-1] - true[-1]) <= 9000 + 2 * 250 * STEP * 500 // 1_000_000 + 90


def test_a_jump_begins_a_new_map_at_the_next_keyframe_and_loses_no_picture() -> None:
    """A camera sets its clock by an hour inside a GOP: pictures go on evenly, the jump is told
    at the keyframe."""
    for jump in (3600 * 90_000, -3600 * 90_000):
        stamps = _even(30, 10**9) + _even(70, 10**9 + jump + 30 * STEP)
        placed = _play(VideoClock(), stamps, _even(100, START))
        assert [pts for pts, _ in placed] == _even(100, START)
        assert [number for number, (_, jumped) in enumerate(placed) if jumped] == [50]


def test_a_pause_of_the_camera_leaves_a_pause() -> None:
    """Five seconds without pictures, on both clocks, stay five seconds."""
    pause = 5 * 90_000
    stamps = _even(25) + _even(50, 25 * STEP + pause)
    placed = _play(VideoClock(), stamps, [START + stamp for stamp in stamps])
    assert [pts for pts, _ in placed] == [START + stamp for stamp in stamps]


def test_a_slow_camera_does_not_jump_with_every_picture() -> None:
    """One picture in two seconds is slow, not broken: at most its first step is in doubt."""
    stamps = _even(20, 0, 180_000)
    placed = _play(VideoClock(), stamps, [START + stamp for stamp in stamps], gop=5)
    assert [pts for pts, _ in placed] == [START + stamp for stamp in stamps]
    assert sum(jumped for _, jumped in placed) <= 1


def test_b_frames_keep_their_order_of_showing() -> None:
    """Times go back and forth within a GOP without a jump."""
    order = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8]
    clock = VideoClock()
    placed = [clock.place(one * STEP, one == 0, START + at * STEP) for at, one in enumerate(order)]
    assert placed == [START + one * STEP for one in order]
    assert not clock.jumped


def test_a_camera_that_counts_pictures_instead_of_time_is_caught_up_with() -> None:
    """At half the true rate the map is made anew, forwards, once every picture of ten seconds was 2 s off."""
    placed = _play(VideoClock(), _even(2000), _even(2000, START, 2 * STEP))
    times = [pts for pts, _ in placed]
    assert any(jumped for _, jumped in placed)
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    late = [START + 2 * STEP * number - pts for number, pts in enumerate(times)]
    assert max(late) < LOST_TOUCH_TICKS + 20 * 90_000


def test_a_clock_that_stands_still_is_bridged_and_loses_no_picture() -> None:
    """Pictures with one timestamp for two seconds lie one interval apart, and times go on from the next
    keyframe."""
    stamps = _even(30) + [29 * STEP] * 50 + _even(70, 80 * STEP)
    placed = _play(VideoClock(), stamps, _even(150, START))
    times = [pts for pts, _ in placed]
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    assert max(abs(pts - (START + number * STEP)) for number, pts in enumerate(times)) <= 4 * STEP
    assert [pts - (START + number * STEP) for number, pts in enumerate(times)][100:] == [0] * 50


@pytest.mark.parametrize("pace", [0.5, 2.0])
def test_the_end_of_a_bridge_leaves_no_hole(pace: float) -> None:
    """Pictures of a clock that stands still come at another pace than before: times follow the arrivals, so
    that the keyframe where the map begins anew is less than a quarter of a second away."""
    stamps = _even(30) + [29 * STEP] * 70 + _even(50, 200 * STEP)
    arrivals = _even(30, START) + [START + 29 * STEP + round((n + 1) * STEP / pace) for n in range(70)]
    arrivals += _even(50, arrivals[-1] + STEP)
    times = [pts for pts, _ in _play(VideoClock(), stamps, arrivals)]
    assert all(0 < later - earlier < 22_500 for earlier, later in itertools.pairwise(times))
    assert max(abs(pts - at) for pts, at in zip(times, arrivals, strict=True)) <= 22_500


@pytest.mark.parametrize("at", range(36, 56))
@pytest.mark.parametrize("by", [90_000 * 1000, -90_000 * 1000])
def test_a_jump_within_a_long_read_leaves_no_hole(at: int, by: int) -> None:
    """Twenty pictures are read at once and the camera's clock jumps at any of them, before or at a keyframe:
    none came before the read before, so times go on without a hole beside the arrivals."""
    clock, times = VideoClock(), []
    for number, stamp in enumerate(_even(100)):
        read = number // 20 * 20 + 19
        clock.unread = 20 * STEP
        jumped = stamp + (by if number >= at else 0)
        times.append(clock.place(jumped & 0xFFFFFFFF, number % 15 == 0, START + read * STEP))
    assert all(0 < later - earlier <= 2 * STEP for earlier, later in itertools.pairwise(times))
    assert all(pts <= START + (number // 20 * 20 + 39) * STEP for number, pts in enumerate(times))


def test_two_fields_of_one_time_are_no_clock_that_stands() -> None:
    """Pairs of pictures with one timestamp keep the rate they have."""
    stamps = [STEP * (number // 2) for number in range(200)]
    placed = _play(VideoClock(), stamps, [START + stamp for stamp in stamps])
    assert not any(jumped for _, jumped in placed)
    assert [pts for pts, _ in placed] == [START + stamp + number % 2 for number, stamp in enumerate(stamps)]


@pytest.mark.parametrize("seconds", [1, -1])
def test_a_leap_second_is_walked_in_not_jumped(seconds: int) -> None:
    """A step of this machine's clock by a second, as a leap second or NTP makes it: no jump, no file cut,
    times in order, and after an hour the second is in."""
    step = seconds * 90_000
    count = 3600 * 5
    arrivals = [START + number * 18_000 + (step if number > 500 else 0) for number in range(count)]
    placed = _play(VideoClock(), _even(count, 0, 18_000), arrivals, gop=5)
    times = [pts for pts, _ in placed]
    assert not any(jumped for _, jumped in placed)
    assert all(later > earlier for earlier, later in itertools.pairwise(times))
    assert abs(times[-1] - arrivals[-1]) <= 9000


@pytest.mark.parametrize(("video_ppm", "audio_ppm"), [(500, 500), (-500, -500), (200, -300), (-20, 20)])
def test_sound_stays_beside_the_picture_over_an_hour_of_drift(video_ppm: int, audio_ppm: int) -> None:
    """Both clocks wrong, each its own way, with sender reports: within 40 ms at any time, nothing
    overlapping."""
    rate, video, audio = 16_000, VideoClock(), AudioClock(16_000)
    samples, worst, end = 1024, 0.0, 0
    shown: list[tuple[int, int]] = []  # (true microsecond, pts) of the newest pictures
    frame = 0
    for number in range(3600 * 10):
        true = number * 100_000
        stamp = true * 9 * (1_000_000 + video_ppm) // 100_000_000
        shown = [
            *shown[-40:],
            (true, video.place(stamp & 0xFFFFFFFF, number % 10 == 0, START + true * 9 // 100)),
        ]
        if number % 50 == 0 and frame:
            heard = frame * samples * (1_000_000 + audio_ppm) // 1_000_000
            link = true * rate * (1_000_000 + audio_ppm) // 10**12
            assert heard >= 0
            audio.link(video.media_of(stamp & 0xFFFFFFFF), audio.media_of(link & 0xFFFFFFFF))
        while (at := frame * samples * 1_000_000 // rate) <= true:
            stamp = at * rate * (1_000_000 + audio_ppm) // 10**12
            pts = audio.place(stamp & 0xFFFFFFFF, samples, (START // 90) + at // 1000, video, False)
            frame += 1
            if pts is None:
                continue
            assert pts >= end
            end = pts + samples
            near = min(shown, key=lambda each: abs(each[0] - at))
            beside = near[1] + (at - near[0]) * 9 // 100
            worst = max(worst, abs(pts / rate - beside / 90_000))
    assert worst <= 0.040


def test_the_hour_that_comes_twice_is_two_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are UTC: under a zone in which the clock is set back, pictures of that night stay in order."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    night = 1_792_890_000_000 * 90  # 2026-10-25, half an hour before and after 01:00 UTC
    placed = _play(VideoClock(), _even(120, 0, 2_700_000 // 2), _even(120, night, 2_700_000 // 2), gop=1)
    times = [pts for pts, _ in placed]
    assert [later - earlier for earlier, later in itertools.pairwise(times)] == [1_350_000] * 119
    local = [time.localtime(pts // 90_000).tm_hour for pts in times]
    assert local != sorted(local) or local[0] == local[-1]
    monkeypatch.delenv("TZ")
    time.tzset()


def test_the_wall_clock_set_back_is_followed_with_a_jump() -> None:
    """An hour back on this machine: told as a jump, and later pictures carry the new times."""
    back = 3600 * 90_000
    arrivals = _even(500, START) + _even(500, START + 500 * STEP - back)
    placed = _play(VideoClock(), _even(1000), arrivals)
    jumps = [number for number, (_, jumped) in enumerate(placed) if jumped]
    assert len(jumps) == 1
    assert 500 <= jumps[0] <= 800
    assert placed[-1][0] == arrivals[-1]


def test_a_new_pull_begins_after_the_last_one() -> None:
    """By a tick where they would overlap a little; at its arrival where the clock was set back far."""
    assert VideoClock(START + 9000).place(7, True, START) == START + 9001
    assert VideoClock(START - 9000).place(7, True, START) == START
    assert VideoClock(START + 3600 * 90_000).place(7, True, START) == START


@given(
    st.lists(
        st.tuples(st.integers(0, 2**32 - 1), st.booleans(), st.integers(-(10**7), 10**7)),
        min_size=1,
        max_size=60,
    )
)
def test_any_times_give_times_near_the_arrival_and_in_order(pictures: list[tuple[int, bool, int]]) -> None:
    """Random stamps: without a jump told, no keyframe is put before what is there."""
    clock, arrival, newest = VideoClock(), START, 0
    for stamp, key, wait in pictures:
        arrival += wait
        pts = clock.place(stamp, key, arrival)
        jumped, clock.jumped = clock.jumped, False
        assert not jumped or key
        if key and not jumped:
            assert pts > newest
        newest = clock.newest


RATE = 48_000


def _video() -> VideoClock:
    clock = VideoClock()
    clock.place(0, True, START)
    return clock


def test_audio_frames_follow_each_other_exactly() -> None:
    """Jitter of stamps and arrivals leaves no crack between frames."""
    clock, video, next_pts = AudioClock(RATE), _video(), None
    for number in range(500):
        jitter = (number * 37 % 21) - 10
        pts = clock.place(
            number * 1024 + jitter, 1024, START // 90 + number * 1024 // 48 + number % 90, video, False
        )
        assert pts is not None
        assert next_pts in (None, pts)
        next_pts = pts + 1024


def test_lost_audio_leaves_its_gap() -> None:
    """After a hole the frame is where it belongs, not at the end of the last."""
    clock, video = AudioClock(RATE), _video()
    first = clock.place(0, 1024, START // 90, video, False)
    second = clock.place(2048, 1024, START // 90, video, True)
    assert first is not None
    assert second == first + 2048


def test_sender_reports_put_sound_beside_the_picture() -> None:
    """300 ms of delay on the way of the sound do not shift it."""
    clock, video = AudioClock(RATE), _video()
    clock.place(5_000, 1024, START // 90 + 300, video, False)
    clock.link(0, 5_000)
    placed = [
        clock.place(5_000 + 1024 * number, 1024, START // 90 + 300 + 21 * number, video, False)
        for number in range(1, 40)
    ]
    true = START * RATE // 90_000
    kept = [(number, pts) for number, pts in enumerate(placed, 1) if pts is not None]
    assert len(kept) > 20
    assert all(abs(pts - true - 1024 * number) <= RATE * AUDIO_SLACK_MS // 1000 for number, pts in kept)


def test_senseless_sender_reports_are_not_believed() -> None:
    """A report that puts sound a minute away is ignored."""
    clock, video = AudioClock(RATE), _video()
    first = clock.place(0, 1024, START // 90, video, False)
    clock.link(60 * 90_000, 0)
    assert first is not None
    assert clock.place(1024, 1024, START // 90 + 21, video, False) == first + 1024


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 5000), st.booleans()), max_size=60))
def test_audio_never_overlaps(frames: list[tuple[int, int, bool]]) -> None:
    """Random stamps: a frame lies after the one before, or is dropped."""
    clock, video, end = AudioClock(RATE), _video(), None
    for stamp, samples, hole in frames:
        pts = clock.place(stamp, samples, START // 90, video, hole)
        if pts is not None:
            assert end is None or pts >= end
            end = pts + samples


def _gaps(shifts: list[int]) -> list[tuple[int, int]]:
    """(number of the frame, samples of the gap before it) where frames of 20 ms have their stamps shifted."""
    clock, video, end, found = AudioClock(RATE), _video(), None, []
    size = RATE // 50
    for number, shift in enumerate(shifts):
        pts = clock.place(number * size + shift, size, START // 90 + number * 20, video, False)
        assert pts is not None
        if end is not None and pts != end:
            found.append((number, pts - end))
        end = pts + size
    return found


def test_a_frame_whose_time_jitters_stays_in_its_place() -> None:
    """Some cameras stamp sound by a clock that wobbles: what is not lasting is not heard."""
    chance = random.Random(3)
    assert _gaps([chance.choice([0, 0, 0, RATE * 40 // 1000, -RATE * 40 // 1000]) for _ in range(400)]) == []


def test_a_shift_that_lasts_is_put_right_once() -> None:
    """Over 30 ms on average moves sound to where it belongs, within a second; over 60 ms at once."""
    lasting = RATE * 36 // 1000
    ((number, moved),) = _gaps([0] * 50 + [lasting] * 150)
    assert 50 < number <= 110
    assert moved == lasting
    far = RATE * 70 // 1000
    assert _gaps([0] * 50 + [far] * 50) == [(50, far)]
