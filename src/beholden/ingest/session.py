"""One stream kept alive for ever: pull, notice stalls, wait, pull again, and say in words what is wrong."""

from __future__ import annotations

import contextlib
import random as random_module
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from beholden.ingest.rtsp import RtspSource
from beholden.ingest.source import Source, SourceError, SourceFactory
from beholden.ingest.status import SourceStatus
from beholden.model.camera import StreamAddress, StreamState
from beholden.model.gap import GapCause
from beholden.model.media import StreamSink
from beholden.model.time import Clock, ticks_to_ms

StateSink = Callable[[StreamState, StreamState, GapCause | None, str], None]
"""Called with (old, new, cause of the gap that begins or None, reason in words)."""

STALL_SECONDS: Final = 10.0
_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 1.0
_LEFT_BYTES: Final = 512 * 1024  # left to the kernel at most: a good part of the room it gives a connection
_MOST_BEHIND_MS: Final = 250  # newest picture to now: more, and the camera may be waiting for us
_PROVEN_SECONDS: Final = 10.0  # live for so long, and the waits begin small again
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds from the first wait to the longest; each is ``growth`` times the one before, minus up to a
    quarter by chance."""

    first: float
    longest: float
    growth: float = 2.0

    def wait(self, failures: int, chance: float) -> float:
        """The wait after this many failures in a row; ``chance`` in [0, 1)."""
        return min(self.longest, self.first * self.growth ** min(failures - 1, 40)) * (1 - chance / 4)


# Asking a camera whether it is back costs a packet, and every second it is not asked is footage: after an
# outage of some length, the camera is asked again within half of that length, and within ten seconds.
OFFLINE_BACKOFF = Backoff(0.1, 10.0, 1.5)
LOGIN_BACKOFF = Backoff(5.0, 300.0)  # cameras lock accounts that fail too often
REFUSED_BACKOFF = Backoff(2.0, 60.0)


@dataclass(slots=True)
class Totals:
    """Counters over all pulls of a session, the present one included."""

    bytes: int = 0
    packets: int = 0
    lost_packets: int = 0
    dropped_pictures: int = 0
    pictures: int = 0


class StreamSession:
    """Owns one Source at a time. ``state``, ``reason`` and ``next_step`` are for people and never contain
    a password; ``since_ms`` is when the state began. ``fast`` asks the loop to read as data arrives.

    ``needed_ms`` says when (epoch ms) what comes is needed next, 0 for at once: until then a steady stream
    is left to the kernel, which holds it at no cost.
    """

    def __init__(
        self,
        address: StreamAddress,
        sink: StreamSink,
        clock: Clock,
        make_source: SourceFactory = RtspSource,
        make_fallback: SourceFactory | None = None,
        random: Callable[[], float] = random_module.random,
        on_state: StateSink | None = None,
        stall_seconds: float = STALL_SECONDS,
        label: str = "",
        needed_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        self.address = address
        self.fast = False
        self.state = StreamState.CONNECTING
        self.reason = "Connecting to the camera."
        self.next_step = ""
        self.since_ms = clock.now_ms()
        self.reconnects = 0
        self.status = SourceStatus()
        self._sink = sink
        self._clock = clock
        self._make_source = make_source
        self._make_fallback = make_fallback
        self._random = random
        self._on_state = on_state
        self._stall_seconds = stall_seconds
        self._log = _log.bind(stream=label or address.url)
        self._source: Source | None = None
        self._past = Totals()
        self._failures = 0
        self._retry_at = 0.0
        self._pictures = 0
        self._picture_at = 0.0
        self._live_since = 0.0
        self._delivered_pts = 0
        self._use_fallback = False
        self._first_refusal: SourceError | None = None
        self._closed = False
        self._needed_ms = needed_ms
        self._unread_until = 0.0
        self._patience = _FIRST_WAIT

    def poll(self, now: float) -> None:
        """Read all there is, or wait, or connect. ``now`` is monotonic seconds. Never raises SourceError."""
        if now < self._unread_until and not self.eager:
            return
        source = self._source
        if source is None:
            if self._closed or now < self._retry_at:
                return
            source = self._open(now)
        try:
            source.poll(now)
            pictures = source.status.pictures
            if pictures != self._pictures:
                self._pictures = pictures
                self._picture_at = now
                if self.state is not StreamState.LIVE:
                    self._become_live(now)
            elif now - self._picture_at > self._stall_seconds:
                raise self._stalled(source.status)
            self._leave_unread(now)
        except SourceError as error:
            self._fail(error, now)

    def fileno(self) -> int | None:
        """The descriptor to wait on; None while there is none."""
        return self._source.fileno() if self._source is not None else None

    def wants_write(self) -> bool:
        """Whether the descriptor should be watched for writing as well."""
        return self._source is not None and self._source.wants_write()

    @property
    def eager(self) -> bool:
        """Whether to be polled as data arrives: someone watches, the camera is being greeted, or the kernel
        has no room to wait."""
        source = self._source
        return self.fast or (source is not None and (source.status.urgent or not source.status.playing))

    @property
    def totals(self) -> Totals:
        """Counters over all pulls."""
        past, now = self._past, self.status if self._source is not None else SourceStatus()
        return Totals(
            past.bytes + now.bytes,
            past.packets + now.packets,
            past.lost_packets + now.lost_packets,
            past.dropped_pictures + now.dropped_pictures,
            past.pictures + now.pictures,
        )

    def fail(self, now: float) -> None:
        """Something of ours went wrong with this stream: drop the pull and begin again after a wait."""
        self._fail(
            SourceError(
                StreamState.OFFLINE,
                GapCause.CAMERA_LOST,
                "stream_fault",
                "This stream could not be processed.",
                "See the recorder's log; the stream is being opened again.",
            ),
            now,
        )

    def close(self) -> None:
        """End the pull for good."""
        if self._source is not None and self._unread_until:
            with contextlib.suppress(SourceError):
                self._source.poll(self._clock.monotonic())  # what the kernel holds was filmed
        self._closed = True
        self._drop()
        self._change(StreamState.STOPPED, None, "This stream is not being pulled.", "")

    def _open(self, now: float) -> Source:
        make = self._make_fallback if self._use_fallback and self._make_fallback else self._make_source
        if self._failures or self.reconnects:
            self._log.info("reconnecting", failures=self._failures)
        self._source = source = make(self.address, self._sink, self._clock, after_pts=self._delivered_pts)
        self.status = source.status
        self._pictures = 0
        self._picture_at = now
        return source

    def _leave_unread(self, now: float) -> None:
        """Let the next poll wait until what comes is needed, as far as the kernel has room for it. The kernel
        gives a connection more room the more is read at once; so the waits grow."""
        status, newest_ms = self.status, ticks_to_ms(self.status.newest_pts)
        self._unread_until = 0.0
        wait = (self._needed_ms() - newest_ms) / 1000  # by the pictures' own clock: they come as evenly
        if wait <= 0 or status.transport != "tcp" or status.kbps is None:
            return
        if status.bridging or self._clock.now_ms() - newest_ms > _MOST_BEHIND_MS:
            self._patience = _FIRST_WAIT
            return
        self._unread_until = now + min(wait, self._patience, _LEFT_BYTES * 8 / (1 + 1000 * status.kbps))
        self._patience = min(_LONGEST_WAIT, 2 * self._patience)

    def _become_live(self, now: float) -> None:
        self._live_since = now
        self._first_refusal = None
        self._change(StreamState.LIVE, None, "", "")

    def _stalled(self, status: SourceStatus) -> SourceError:
        what = "sends data but no complete picture" if status.playing and status.packets else "sends nothing"
        next_step = "Restart the camera if it stays so; a key frame interval of 1–2 s helps."
        if status.transport == "udp" and status.playing and not status.packets:
            what = "nothing of what it sends over UDP arrives"
            next_step = "Let its UDP packets through the firewall, or set this camera's transport to TCP."
        return SourceError(
            StreamState.STALLED,
            GapCause.CAMERA_STALLED,
            "camera_stalled",
            f"The camera is connected but {what} for {self._stall_seconds:g} seconds.",
            next_step,
        )

    def _fail(self, error: SourceError, now: float) -> None:
        was_live = self.state is StreamState.LIVE
        if was_live:
            self.reconnects += 1
            if now - self._live_since >= _PROVEN_SECONDS:
                self._failures = 0
        self._drop()
        if self._try_other_client(error, now):
            return
        if self._first_refusal is not None:
            error, self._first_refusal = self._first_refusal, None
        self._failures += 1
        if error.cause is GapCause.LOGIN_REFUSED:
            backoff = LOGIN_BACKOFF
        elif error.state in (StreamState.REFUSED, StreamState.UNSUPPORTED):
            backoff = REFUSED_BACKOFF
        else:
            backoff = OFFLINE_BACKOFF
        self._retry_at = now + backoff.wait(self._failures, self._random())
        if error.code != "stream_fault":
            self._log.warning(
                "pull_ended", cause=error.code, message=error.message, retry_in=round(self._retry_at - now, 1)
            )
        self._change(error.state, error.cause, error.message, error.next_step)

    def _try_other_client(self, error: SourceError, now: float) -> bool:
        # Only a server our client cannot talk to goes to the fallback, once per attempt; what both refuse
        # is reported in our client's words.
        if self._use_fallback:
            self._use_fallback = False
            return False
        if not error.fallback or self._make_fallback is None:
            return False
        self._use_fallback = True
        self._first_refusal = error
        self._retry_at = now
        return True

    def _drop(self) -> None:
        source, self._source = self._source, None
        self._unread_until, self._patience = 0.0, _FIRST_WAIT
        if source is None:
            return
        self._keep_totals(source.status)
        source.close()

    def _keep_totals(self, status: SourceStatus) -> None:
        past = self._past
        past.bytes += status.bytes
        past.packets += status.packets
        past.lost_packets += status.lost_packets
        past.dropped_pictures += status.dropped_pictures
        past.pictures += status.pictures
        if status.newest_pts:
            self._delivered_pts = status.newest_pts

    def _change(self, state: StreamState, cause: GapCause | None, reason: str, next_step: str) -> None:
        old, self.state = self.state, state
        changed = old is not state
        if changed:
            self.since_ms = self._clock.now_ms()
        told = changed or reason != self.reason
        self.reason, self.next_step = reason, next_step
        if told and self._on_state is not None:
            self._on_state(old, state, cause, reason)
