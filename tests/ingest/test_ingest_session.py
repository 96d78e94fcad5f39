"""A stream kept alive: states, waits, stalls, the fallback."""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beholden.ingest.session import LOGIN_BACKOFF, OFFLINE_BACKOFF, Backoff, StreamSession
from beholden.ingest.source import FakeSource, SourceError
from beholden.ingest.status import SourceStatus
from beholden.model.camera import StreamAddress, StreamState
from beholden.model.gap import GapCause
from beholden.model.media import AccessUnit, StreamFormat, Track, VideoFormat
from beholden.model.time import TICKS_PER_MS, FakeClock

FORMAT = StreamFormat(VideoFormat("h264", 16, 16, (b"\x67\x42\x00\x1e", b"\x68\x00")))
SECRET = "hidden-word"


def _unit(pts: int) -> AccessUnit:
    return AccessUnit(Track.VIDEO, pts, True, (b"x" * 10,), 10, 0)


def _error(
    state: StreamState = StreamState.OFFLINE, cause: GapCause = GapCause.CAMERA_LOST, fallback: bool = False
) -> SourceError:
    return SourceError(state, cause, "code", f"The camera is {state}.", "Do something.", fallback)


class Made:
    """Makes one scripted source after another and remembers them."""

    def __init__(self, sink: Any, *scripts: list[Any]) -> None:
        self.scripts = list(scripts)
        self.sources: list[FakeSource] = []
        self.after: list[int] = []
        self.sink = sink

    def __call__(self, address: StreamAddress, sink: Any, clock: Any, *, after_pts: int = 0) -> FakeSource:
        script = self.scripts.pop(0) if self.scripts else []
        self.sources.append(FakeSource(sink, clock, script))
        self.after.append(after_pts)
        return self.sources[-1]


class Told:
    """What on_state was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[StreamState, StreamState, GapCause | None]] = []

    def __call__(self, old: StreamState, new: StreamState, cause: GapCause | None, reason: str) -> None:
        self.calls.append((old, new, cause))


@pytest.fixture
def make_session(sink: Any) -> Callable[..., tuple[StreamSession, Made, Told, FakeClock]]:
    """``make_session(*scripts, **session keywords)``; chance is always 0, so waits are at their longest."""

    def make(*scripts: list[Any], **keywords: Any) -> tuple[StreamSession, Made, Told, FakeClock]:
        clock, made, told = FakeClock(), Made(sink, *scripts), Told()
        address = StreamAddress("rtsp://camera/", "user", SECRET)
        session = StreamSession(address, sink, clock, made, random=lambda: 0.0, on_state=told, **keywords)
        return session, made, told, clock

    return make


def _run(session: StreamSession, clock: FakeClock, seconds: float, step: float = 0.1) -> None:
    for _ in range(round(seconds / step)):
        session.poll(clock.monotonic())
        clock.advance(step)


def test_the_first_picture_makes_a_stream_live(make_session: Callable[..., Any]) -> None:
    """Connecting until then; told once."""
    session, _made, told, clock = make_session([[], [FORMAT], [_unit(9)], [_unit(10)]])
    assert session.state is StreamState.CONNECTING
    _run(session, clock, 0.2)
    assert session.state is StreamState.CONNECTING
    _run(session, clock, 0.3)
    assert (session.state, session.reason) == (StreamState.LIVE, "")
    assert told.calls == [(StreamState.CONNECTING, StreamState.LIVE, None)]
    assert session.since_ms == FakeClock().now_ms() + 200
    assert (session.totals.pictures, session.totals.bytes) == (2, 20)


def test_a_lost_camera_is_pulled_again_where_it_ended(make_session: Callable[..., Any]) -> None:
    """The state says why until pictures come; the next source learns the newest time delivered."""
    session, made, told, clock = make_session([[_unit(7)], _error()], [[], [_unit(900)]])
    _run(session, clock, 0.3)
    assert (session.state, session.reason) == (StreamState.OFFLINE, "The camera is offline.")
    assert made.sources[0].closed
    _run(session, clock, 1.0)
    assert session.state is StreamState.LIVE
    assert made.after == [0, 7]
    assert session.reconnects == 1
    assert session.totals.pictures == 2
    assert told.calls == [
        (StreamState.CONNECTING, StreamState.LIVE, None),
        (StreamState.LIVE, StreamState.OFFLINE, GapCause.CAMERA_LOST),
        (StreamState.OFFLINE, StreamState.LIVE, None),
    ]


def test_waits_grow_slowly_to_ten_seconds_and_never_end(make_session: Callable[..., Any]) -> None:
    """A camera that is back is asked within half of the time it was gone, and within ten seconds."""
    session, made, _, clock = make_session(*[[_error()] for _ in range(20)])
    tries, polled = [], 0
    while len(made.sources) < 20:
        session.poll(clock.monotonic())
        if len(made.sources) > polled:
            polled = len(made.sources)
            tries.append(clock.monotonic())
        clock.advance(0.01)
    waits = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert waits[0] == pytest.approx(0.1, abs=0.011)
    assert waits[-5:] == pytest.approx([10.0] * 5, abs=0.011)
    for number, wait in enumerate(waits[3:], 3):
        assert wait <= 0.5 * sum(waits[:number]) + 0.15


def test_a_restarted_camera_is_back_within_a_second_in_the_median(make_session: Callable[..., Any]) -> None:
    """However long the restart took, up to some seconds, with the chance of the waits as it falls."""
    late = []
    for tenths in range(1, 50):
        down = tenths / 10
        session, made, _, clock = make_session([[_unit(1)], _error()], *[[_error()] for _ in range(40)])
        session._random = random.Random(tenths).random
        gone, known = clock.monotonic() + 0.1, 0
        while clock.monotonic() < gone + down or len(made.sources) == known:
            known = len(made.sources)
            session.poll(clock.monotonic())
            clock.advance(0.01)
        late.append(clock.monotonic() - gone - down)
    assert statistics.median(late) < 0.5
    assert max(late) < 3.0


def test_a_refused_login_waits_longer(make_session: Callable[..., Any]) -> None:
    """Five seconds first: accounts must not be locked."""
    error = _error(StreamState.REFUSED, GapCause.LOGIN_REFUSED)
    session, made, told, clock = make_session([error], [error])
    _run(session, clock, 4.9)
    assert len(made.sources) == 1
    _run(session, clock, 0.5)
    assert len(made.sources) == 2
    assert told.calls == [(StreamState.CONNECTING, StreamState.REFUSED, GapCause.LOGIN_REFUSED)]


@given(st.integers(1, 10_000), st.floats(0, 0.999))
def test_chance_spreads_the_waits(failures: int, chance: float) -> None:
    """By up to a quarter, never above the longest."""
    for backoff in (OFFLINE_BACKOFF, LOGIN_BACKOFF, Backoff(1, 2)):
        wait = backoff.wait(failures, chance)
        assert 0.75 * backoff.first <= wait <= backoff.longest


def test_some_seconds_of_pictures_make_the_waits_short_again(make_session: Callable[..., Any]) -> None:
    """A camera that was well for a while is tried again at once."""
    alive = [[_unit(number)] for number in range(1, 700)]
    session, made, _, clock = make_session(*[[_error()] for _ in range(6)], [*alive, _error()], [])
    while session.state is not StreamState.LIVE:
        _run(session, clock, 1)
    while session.state is StreamState.LIVE:
        _run(session, clock, 0.1)
    count = len(made.sources)
    _run(session, clock, 0.7)
    assert len(made.sources) == count + 1


def test_a_stall_is_measured_from_the_last_picture(make_session: Callable[..., Any]) -> None:
    """Ten seconds without one, whatever else comes: stalled, closed, opened again."""
    session, made, told, clock = make_session([[_unit(1)]], [[_unit(2)]])
    _run(session, clock, 9.9)
    assert session.state is StreamState.LIVE
    made.sources[0].status.bytes += 1000  # bytes are no pictures
    while session.state is StreamState.LIVE and len(made.sources) == 1:
        _run(session, clock, 0.1)
    assert session.state is StreamState.STALLED
    assert told.calls[-1] == (StreamState.LIVE, StreamState.STALLED, GapCause.CAMERA_STALLED)
    assert made.sources[0].closed
    _run(session, clock, 1)
    assert session.state is StreamState.LIVE


def test_a_camera_that_connects_and_sends_nothing_is_a_stall(make_session: Callable[..., Any]) -> None:
    """From the first connection on."""
    session, _, _, clock = make_session([], stall_seconds=3)
    _run(session, clock, 3.5)
    assert session.state is StreamState.STALLED
    assert "sends nothing" in session.reason


def test_the_fallback_is_tried_once_where_our_client_cannot_talk(
    make_session: Callable[..., Any], sink: Any
) -> None:
    """Only for such errors; while it works, nobody is troubled."""
    fallback = Made(sink, [[_unit(5)]])
    ours = _error(StreamState.UNSUPPORTED, GapCause.STREAM_UNSUPPORTED, fallback=True)
    session, made, told, clock = make_session([ours], make_fallback=fallback)
    _run(session, clock, 0.5)
    assert session.state is StreamState.LIVE
    assert (len(made.sources), len(fallback.sources)) == (1, 1)
    assert told.calls == [(StreamState.CONNECTING, StreamState.LIVE, None)]


def test_what_both_clients_refuse_is_said_in_our_words(make_session: Callable[..., Any], sink: Any) -> None:
    """And the next attempt is ours again."""
    ours = _error(StreamState.UNSUPPORTED, GapCause.STREAM_UNSUPPORTED, fallback=True)
    fallback = Made(sink, [_error()], [_error()])
    session, made, told, clock = make_session([ours], [ours], make_fallback=fallback)
    _run(session, clock, 1)
    assert (session.state, len(made.sources), len(fallback.sources)) == (StreamState.UNSUPPORTED, 1, 1)
    assert told.calls == [(StreamState.CONNECTING, StreamState.UNSUPPORTED, GapCause.STREAM_UNSUPPORTED)]
    _run(session, clock, 2)
    assert (len(made.sources), len(fallback.sources)) == (2, 2)


def test_other_errors_never_reach_the_fallback(make_session: Callable[..., Any], sink: Any) -> None:
    """A wrong password is wrong for any client."""
    fallback = Made(sink)
    error = _error(StreamState.REFUSED, GapCause.LOGIN_REFUSED)
    session, _, _, clock = make_session([error], make_fallback=fallback)
    _run(session, clock, 1)
    assert fallback.sources == []


def test_closing_ends_it(make_session: Callable[..., Any]) -> None:
    """Stopped, the source closed, and no new one."""
    session, made, _told, clock = make_session([[_unit(1)]])
    _run(session, clock, 0.3)
    session.close()
    session.close()
    _run(session, clock, 60)
    assert (session.state, len(made.sources), made.sources[0].closed) == (StreamState.STOPPED, 1, True)
    assert session.fileno() is None


def test_no_text_holds_the_password(
    make_session: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither reasons nor the log."""
    session, _, _, clock = make_session([_error()], [_error(StreamState.REFUSED, GapCause.LOGIN_REFUSED)])
    _run(session, clock, 3)
    printed = capsys.readouterr()
    assert SECRET not in f"{session.reason} {session.next_step} {printed.out} {printed.err} {session!r}"


class Steady(FakeSource):
    """A source that notes when it is read; its newest picture is ``behind_ms`` old each time."""

    def __init__(self, sink: Any, clock: FakeClock) -> None:
        super().__init__(sink, clock, [])
        self.status = SourceStatus(connected=True, playing=True, transport="tcp", kbps=3000.0)
        self.read_at: list[float] = []
        self.behind_ms = 20

    def __call__(self, _address: StreamAddress, _sink: Any, _clock: Any, *, after_pts: int = 0) -> Steady:
        return self

    def poll(self, now: float) -> None:
        self.read_at.append(now)
        self.status.pictures += 1
        self.status.newest_pts = (self._clock.now_ms() - self.behind_ms) * TICKS_PER_MS

    def waits(self) -> list[float]:
        """Seconds between reads, rounded to ticks; those before are forgotten."""
        at, self.read_at = self.read_at, self.read_at[-1:]
        return [round(after - before, 1) for before, after in itertools.pairwise(at)]


class Unhurried:
    """A session whose stream is needed every ``every_ms``, and not before."""

    def __init__(self, sink: Any) -> None:
        self.clock = FakeClock()
        self.source = Steady(sink, self.clock)
        self.every_ms = 600
        self.session = StreamSession(
            StreamAddress("rtsp://camera/"), sink, self.clock, self.source, needed_ms=self._needed_ms
        )

    def _needed_ms(self) -> int:
        return self.clock.now_ms() + self.every_ms if self.every_ms else 0

    def run(self, seconds: float) -> list[float]:
        _run(self.session, self.clock, seconds)
        return self.source.waits()


def test_a_steady_stream_is_read_when_it_is_needed(sink: Any) -> None:
    """The kernel learns step by step how much room it takes; what is needed at once is read at every tick."""
    unhurried = Unhurried(sink)
    waits = unhurried.run(6)
    assert waits[:2] == [0.1, 0.2]
    assert waits[2] in (0.4, 0.5), "a tick may fall just before its end"
    assert set(waits[3:]) <= {0.6, 0.7}
    unhurried.every_ms = 0
    unhurried.run(1)
    assert set(unhurried.run(1)) == {0.1}


@pytest.mark.parametrize("why", ["behind", "bridging", "udp", "unknown rate"])
def test_a_stream_that_is_not_steady_is_read_at_every_tick(sink: Any, why: str) -> None:
    """It may be waiting for us; after a jump arrivals place pictures; over UDP the kernel has no room."""
    unhurried = Unhurried(sink)
    unhurried.run(3)
    status = unhurried.source.status
    if why == "behind":
        unhurried.source.behind_ms = 400
    elif why == "bridging":
        status.bridging = True
    elif why == "udp":
        status.transport = "udp"
    else:
        status.kbps = None
    unhurried.run(1)
    assert set(unhurried.run(1)) == {0.1}


def test_the_kernel_is_left_no_more_than_it_has_room_for(sink: Any) -> None:
    """A stream of 20 Mbit/s is left for about a fifth of a second, however seldom it is needed."""
    unhurried = Unhurried(sink)
    unhurried.source.status.kbps = 20_000.0
    unhurried.run(3)
    assert set(unhurried.run(2)) <= {0.2, 0.3}


def test_who_watches_ends_the_wait(sink: Any) -> None:
    """Not at the end of it: with the next tick."""
    unhurried = Unhurried(sink)
    unhurried.run(3)
    read = len(unhurried.source.read_at)
    unhurried.session.poll(unhurried.clock.monotonic())
    assert len(unhurried.source.read_at) == read, "it is left to the kernel"
    unhurried.session.fast = True
    unhurried.session.poll(unhurried.clock.monotonic())
    assert len(unhurried.source.read_at) == read + 1


def test_what_the_kernel_holds_at_the_end_is_read(sink: Any) -> None:
    """It was filmed; a camera that is gone by then changes nothing."""
    unhurried = Unhurried(sink)
    unhurried.run(3)
    read = len(unhurried.source.read_at)
    unhurried.session.close()
    assert len(unhurried.source.read_at) == read + 1
    assert unhurried.source.closed
    assert unhurried.session.state is StreamState.STOPPED
