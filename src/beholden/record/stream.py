"""One stream of one camera: its pull, its files, its listeners and its gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any, Final

from beholden.ingest.session import StreamSession
from beholden.ingest.source import SourceFactory
from beholden.model.camera import CameraConfig, StreamAddress, StreamRole, StreamState
from beholden.model.gap import GapCause
from beholden.model.media import AccessUnit, StreamFormat, Track
from beholden.model.time import Clock, ticks_to_ms
from beholden.record.analysis_feed import Analysis
from beholden.record.disk import DiskTrouble, DiskWriter, SegmentFile
from beholden.record.index import CloseGap, IndexItem, OpenGap
from beholden.record.latch import Latch, Verdict
from beholden.record.outage import Outage
from beholden.record.prelude import Prelude
from beholden.record.relay import Relay
from beholden.record.segment import SegmentWriter

DEFAULT_MEMORY_BYTES: Final = 32_000_000
# What a stream that is not recorded keeps in memory, so that a new listener need not wait for a keyframe.
_GOP_BYTES: Final = 2 * 1024 * 1024
_PAUSE_MS: Final = 2000


@dataclass(frozen=True, slots=True)
class Means:
    """What all streams of a recorder share."""

    clock: Clock
    disk: DiskWriter
    put: Callable[[IndexItem], None]
    make_source: SourceFactory
    make_fallback: SourceFactory | None
    analysis: Analysis


class StreamRecorder:
    """A ``StreamSink``. All calls come from the ingest thread, but for ``file_landed`` and ``file_lost``.

    What is kept goes to ``_writer``, all else to ``_prelude``; ``_resting`` says that a recorded stream is
    not kept now because its mode says so. Both changes happen at keyframes, so that nothing falls between.
    """

    def __init__(
        self, camera: CameraConfig, role: StreamRole, address: StreamAddress, means: Means, zone: tzinfo
    ) -> None:
        self.camera = camera.id
        self.role = role
        self.relay = Relay(camera.id, role, self._replay, self._set_fast)
        self.session = StreamSession(
            address,
            self,
            means.clock,
            means.make_source,
            means.make_fallback,
            on_state=self._on_state,
            label=f"cam-{camera.id}/{role.name.lower()}",
            needed_ms=self.needed_ms,
        )
        self._means = means
        self._listeners = self.relay.listeners  # asked for every unit
        self._mute = not camera.record_audio
        self._format: StreamFormat | None = None
        self._limit_bytes = _GOP_BYTES
        self._prelude = Prelude(_GOP_BYTES)
        self._outage = Outage(camera.id, role, means.put)
        self._writer: SegmentWriter | None = None
        self._began_ms = means.clock.now_ms()
        self._kept_tick = 0
        self._file_ms = 0  # where the newest file begins
        self._latch = Latch(camera, zone)
        self._verdict = Verdict(True)
        self._resting = False
        self._rested = False  # whether the gap that lasts is the rule's
        self._lost: tuple[GapCause, str] | None = None
        self._take: Callable[[AccessUnit], None] = self._prelude.add
        self.configure(camera, zone)

    # --- what the source says

    def on_format(self, stream_format: StreamFormat) -> None:
        """The tracks, or their change."""
        if stream_format != self._format:
            self._prelude.clear()
        self._format = stream_format
        self._apply_format()

    def on_access_unit(self, unit: AccessUnit) -> None:
        """One picture or audio frame."""
        if self._mute and unit.track is Track.AUDIO:
            return
        self._take(unit)
        if self._listeners:
            self.relay.send(unit)

    def on_discontinuity(self) -> None:
        """Media time jumped: what comes next begins a file."""
        self._end_file()
        self._prelude.clear()

    # --- what people and the disk say

    @property
    def listens(self) -> bool:
        """Whether what is kept depends on events."""
        return self._writer is not None and self._latch.listens

    def configure(self, camera: CameraConfig, zone: tzinfo) -> None:
        """The camera's settings and the site's zone; what is being recorded goes on where it may."""
        if camera.record_audio == self._mute:
            self._mute = not camera.record_audio
            self._prelude.clear()
            self._apply_format()
        self._latch.configure(camera, zone)
        recorded = camera.record and self.role is StreamRole.MAIN
        self._limit_bytes = camera.memory_bytes or DEFAULT_MEMORY_BYTES if recorded else _GOP_BYTES
        self._prelude.limit_bytes = self._limit_bytes
        self._prelude.seconds = self._latch.prelude_seconds if recorded else 0.0
        if recorded and self._writer is None:
            self._writer = self._make_writer()
            self._take = self._writer.add
            self._prelude.clear()
        elif self._writer is not None and recorded:
            self._writer.limit_bytes = self._limit_bytes
        elif not recorded:
            self.stop_recording(GapCause.RECORDING_OFF, "Recording was switched off.")
        self.judge(self._means.clock.now_ms())

    def stop_recording(self, cause: GapCause | None, detail: str) -> None:
        """Finish the file; with a cause, what follows is a gap."""
        if self._writer is None:
            return
        resting = self._resting
        self._end_file()
        self._writer = None
        self._resting = self._rested = False
        self._take = self._prelude.add
        if cause is None:
            return
        if resting:
            self._outage.turn(self._means.clock.now_ms(), cause, detail)
        else:
            self._outage.open(self._kept_ms(), cause, detail)

    def tick(self, now_ms: int) -> None:
        """Once a second: a camera that pauses must not keep a fragment in memory."""
        writer = self._writer
        if writer is not None and writer.open_bytes and now_ms - writer.seen_ms > _PAUSE_MS:
            writer.flush()
        if writer is not None:
            self._prelude.limit_bytes = max(0, self._limit_bytes - writer.waiting_bytes)
        self.judge(now_ms)

    def judge(self, now_ms: int) -> None:
        """Keep, or rest, as the camera's mode says now."""
        if self._writer is None:
            return
        live = self.session.state is StreamState.LIVE
        self._verdict = self._latch.judge(now_ms, live, self._means.analysis.seeing(self.camera))
        if self._verdict.keep:
            self._wake_up()
        elif not self._resting and self._writer.recording:
            self._take = self._rest_at_keyframe
        elif not self._resting:
            self._rest(now_ms)

    def close(self, cause: GapCause | None, detail: str) -> None:
        """End the pull and the file."""
        self.session.close()
        self.stop_recording(cause, detail)

    # --- what the disk says

    def file_begins(self, kept_tick: int, start_tick: int, silent_ms: int) -> bool:
        """See ``WriterOwner``: a hole that nobody explained is explained here."""
        self._file_ms = ticks_to_ms(start_tick)
        hole_ms = ticks_to_ms(start_tick - kept_tick)
        if silent_ms > hole_ms // 2:
            cause, detail = GapCause.CAMERA_STALLED, "No complete picture came from the camera."
        else:
            cause, detail = GapCause.CLOCK_STEPPED, "The camera's clock jumped."
        return self._outage.begin_file(kept_tick, start_tick, cause, detail)

    def disk_troubled(self, trouble: DiskTrouble, end_tick: int, landed: bool) -> None:
        """See ``WriterOwner``."""
        if not landed:
            self._outage.failed(self._file_ms)
            if self._rested:
                # What was wanted and could not be written is never the rule's.
                self._rested = False
                self._outage.turn(self._file_ms, trouble.cause, trouble.error.message)
        self._outage.open(ticks_to_ms(end_tick), trouble.cause, trouble.error.message)

    def file_landed(self, file: SegmentFile) -> None:
        """See ``FileOwner`` (writer thread)."""
        self._rested = False
        self._outage.landed(file.key.start_ms)

    def file_lost(self, file: SegmentFile) -> None:
        """See ``FileOwner`` (writer thread)."""
        trouble, end_ms = file.failed, ticks_to_ms(file.lost_tick)
        if trouble is None:
            return
        if not file.begun:
            # Whatever gap was to end here goes on; with none, one begins. The next file ends it.
            self._outage.failed(file.key.start_ms)
            if self._rested:
                self._rested = False
                self._means.put(CloseGap(self.camera, self.role, file.key.start_ms))
        detail, until = trouble.error.message, end_ms if file.begun else None
        if end_ms > file.end_ms:
            self._means.put(OpenGap(self.camera, self.role, file.end_ms, trouble.cause, detail, until))

    # --- what is told

    @property
    def buffered_bytes(self) -> int:
        """Media held in memory, besides what waits for the disk."""
        writer = self._writer
        return self._prelude.bytes + (writer.open_bytes + writer.waiting_bytes if writer is not None else 0)

    def needed_ms(self) -> int:
        """When what comes is needed next, epoch ms; 0: at once. What nobody hears is needed when the open
        fragment is due."""
        writer = self._writer
        if writer is None or self._listeners or self._take != writer.add:
            return 0
        return writer.due_ms

    def stats(self) -> dict[str, Any]:
        """One row of the recorder's ``stats`` (docs/design/architecture.md)."""
        session, status, totals = self.session, self.session.status, self.session.totals
        writer = self._writer
        reason, next_step = self._reason()
        video = self._format.video if self._format is not None else None
        audio = self._format.audio if self._format is not None else None
        return {
            "camera": self.camera,
            "stream": self.role.name.lower(),
            "state": session.state.value,
            "reason": reason,
            "next_step": next_step,
            "since_ms": session.since_ms,
            "last_fragment_ms": (writer.last_fragment_ms or None) if writer is not None else None,
            "memory_bytes": self.buffered_bytes,
            "memory_limit_bytes": self._limit_bytes,
            "resting": self._resting,
            "last_unit_ms": status.last_unit_ms or (writer.seen_ms if writer is not None else 0) or None,
            "bytes": totals.bytes,
            "pictures": totals.pictures,
            "lost_packets": totals.lost_packets,
            "reconnects": session.reconnects,
            "codec": video.codec if video else None,
            "audio_codec": audio.codec if audio else None,
            "live_codec": _live_codec(self._format) if self._format is not None else None,
            "width": video.width if video else None,
            "height": video.height if video else None,
            "fps": status.fps,
            "gop_seconds": status.gop_seconds,
            "kbps": status.kbps,
            "clock_offset_ms": status.clock_offset_ms,
            "recording": writer is not None and writer.recording,
            "transport": status.transport,
        }

    # --- inside

    def _reason(self) -> tuple[str, str]:
        """What a person should know of this stream, and what to do about it."""
        session, writer = self.session, self._writer
        if session.state is not StreamState.LIVE or writer is None:
            return session.reason, session.next_step
        if writer.trouble is not None:
            return writer.trouble.error.message, writer.trouble.error.next_step
        if self._verdict.trouble:
            return self._verdict.trouble, "Nothing is lost meanwhile; see the analyser on the health page."
        if self._resting and self._prelude.crowded:
            said = "The time before an event does not fit into this camera's memory."
            return said, "Give the camera more memory, or shorter key frame intervals."
        return session.reason, session.next_step

    def _wake_up(self) -> None:
        """Keep what comes, and of what memory holds as much as was asked for."""
        assert self._writer is not None
        self._take = self._writer.add
        if not self._resting:
            return
        self._resting = False
        for unit in self._prelude.take(self._verdict.since_ms):
            self._writer.add(unit)
        if self._lost is not None and not self._writer.recording:
            # It has been away for a while, and only now is it missed.
            self._rested = False
            self._outage.turn(self._means.clock.now_ms(), *self._lost)

    def _rest_at_keyframe(self, unit: AccessUnit) -> None:
        """Keep what belongs to the GOP that is being kept; rest from the next one on."""
        assert self._writer is not None
        if not unit.key or unit.track is not Track.VIDEO:
            self._writer.add(unit)
            return
        self._writer.flush(unit.pts)
        self._end_file()
        self._rest(self._kept_ms())
        self._prelude.add(unit)

    def _rest(self, at_ms: int) -> None:
        self._resting = self._rested = True
        self._take = self._prelude.add
        self._outage.turn(at_ms, GapCause.RULE_OFF, self._verdict.why)

    def _make_writer(self) -> SegmentWriter:
        writer = SegmentWriter(self.camera, self.role, self._means.disk, self, self._limit_bytes)
        writer.kept_tick = self._kept_tick
        if self._format is not None:
            writer.set_format(self._recorded_format(self._format))
        return writer

    def _recorded_format(self, stream_format: StreamFormat) -> StreamFormat:
        return replace(stream_format, audio=None) if self._mute else stream_format

    def _apply_format(self) -> None:
        if self._format is None:
            return
        shown = self._recorded_format(self._format)
        if self._writer is not None:
            self._writer.set_format(shown)
        self.relay.set_format(shown)

    def _on_state(self, _old: StreamState, _new: StreamState, cause: GapCause | None, reason: str) -> None:
        self._lost = None if cause is None else (cause, reason)
        if cause is None:
            return
        self.judge(self._means.clock.now_ms())  # what memory holds of the time before may have to be kept
        self._prelude.clear()
        if self._writer is not None and not self._resting:
            self._end_file()
            self._outage.open(self._kept_ms(), cause, reason)
            self._outage.learn(self._means.clock.now_ms(), cause, reason)

    def _end_file(self) -> None:
        if self._writer is not None:
            self._kept_tick = self._writer.end_file()

    def _kept_ms(self) -> int:
        return ticks_to_ms(self._kept_tick) or self._began_ms

    def _replay(self) -> Iterable[AccessUnit]:
        writer = self._writer
        return self._prelude.newest() if writer is None or self._resting else writer.replay()

    def _set_fast(self, fast: bool) -> None:
        self.session.fast = fast


def _live_codec(stream_format: StreamFormat) -> str:
    """The RFC 6381 list a browser is asked about: ``avc1.640028,mp4a.40.2``."""
    tracks = (stream_format.video, stream_format.audio)
    return ",".join(track.codec_string for track in tracks if track is not None)
