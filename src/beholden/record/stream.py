"""One stream of one camera: its pull, its files, its listeners and its gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from beholden.ingest.session import StreamSession
from beholden.ingest.source import SourceFactory
from beholden.model.camera import CameraConfig, StreamAddress, StreamRole, StreamState
from beholden.model.gap import GapCause
from beholden.model.media import AccessUnit, StreamFormat, Track
from beholden.model.time import Clock, ticks_to_ms
from beholden.record.disk import DiskTrouble, DiskWriter, SegmentFile
from beholden.record.index import IndexItem, OpenGap
from beholden.record.outage import Outage
from beholden.record.relay import GopMemory, Relay
from beholden.record.segment import SegmentWriter

_PAUSE_MS = 2000


@dataclass(frozen=True, slots=True)
class Means:
    """What all streams of a recorder share."""

    clock: Clock
    disk: DiskWriter
    put: Callable[[IndexItem], None]
    make_source: SourceFactory
    make_fallback: SourceFactory | None


class StreamRecorder:
    """A ``StreamSink``. All calls come from the ingest thread, but for ``file_landed`` and ``file_lost``."""

    def __init__(self, camera: CameraConfig, role: StreamRole, address: StreamAddress, means: Means) -> None:
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
        )
        self._means = means
        self._with_audio = camera.record_audio
        self._format: StreamFormat | None = None
        self._gop = GopMemory()
        self._outage = Outage(camera.id, role, means.put)
        self._writer: SegmentWriter | None = None
        self._began_ms = means.clock.now_ms()
        self._kept_tick = 0
        self._arrival_ms = 0
        self._arriving_ms = 0
        self.set_recording(camera.record and role is StreamRole.MAIN)

    # --- what the source says

    def on_format(self, stream_format: StreamFormat) -> None:
        """The tracks, or their change."""
        self._format = stream_format
        self._apply_format()

    def on_access_unit(self, unit: AccessUnit) -> None:
        """One picture or audio frame."""
        if unit.track is Track.VIDEO:
            self._arriving_ms = unit.arrival_ms
        elif not self._with_audio:
            return
        if self._writer is not None:
            self._writer.add(unit)
        else:
            self._gop.add(unit)
        if self.relay:
            self.relay.send(unit)
        if unit.track is Track.VIDEO:
            self._arrival_ms = unit.arrival_ms

    def on_discontinuity(self) -> None:
        """Media time jumped: what comes next begins a file."""
        self._end_file()
        self._gop.clear()

    # --- what people and the disk say

    def set_recording(self, recorded: bool) -> None:
        """Keep this stream's footage, or stop doing so with a gap that says a person wanted it."""
        if recorded == (self._writer is not None):
            return
        if recorded:
            self._writer = self._make_writer()
            self._gop.clear()
            return
        self.stop_recording(GapCause.RECORDING_OFF, "Recording was switched off.")

    def set_audio(self, with_audio: bool) -> None:
        """Keep and relay sound, or not."""
        if with_audio != self._with_audio:
            self._with_audio = with_audio
            self._gop.clear()
            self._apply_format()

    def stop_recording(self, cause: GapCause | None, detail: str) -> None:
        """Finish the file; with a cause, what follows is a gap."""
        if self._writer is None:
            return
        self._end_file()
        self._writer = None
        if cause is not None:
            self._outage.open(self._kept_ms(), cause, detail)

    def tick(self, now_ms: int) -> None:
        """Once a second: a camera that pauses must not keep a fragment in memory."""
        writer = self._writer
        if writer is not None and writer.open_bytes and now_ms - self._arrival_ms > _PAUSE_MS:
            writer.flush()

    def close(self, cause: GapCause | None, detail: str) -> None:
        """End the pull and the file."""
        self.session.close()
        self.stop_recording(cause, detail)

    # --- what the disk says

    def file_begins(self, kept_tick: int, start_tick: int) -> bool:
        """See ``WriterOwner``: a hole that nobody explained is explained here."""
        hole_ms = ticks_to_ms(start_tick - kept_tick)
        if self._arriving_ms - self._arrival_ms > hole_ms // 2:
            cause, detail = GapCause.CAMERA_STALLED, "No complete picture came from the camera."
        else:
            cause, detail = GapCause.CLOCK_STEPPED, "The camera's clock jumped."
        return self._outage.begin_file(kept_tick, start_tick, cause, detail)

    def disk_troubled(self, trouble: DiskTrouble, end_tick: int, landed: bool) -> None:
        """See ``WriterOwner``."""
        if not landed:
            self._outage.failed()
        self._outage.open(ticks_to_ms(end_tick), trouble.cause, trouble.error.message)

    def file_landed(self, file: SegmentFile) -> None:
        """See ``FileOwner`` (writer thread)."""
        self._outage.landed(file.key.start_ms)

    def file_lost(self, file: SegmentFile) -> None:
        """See ``FileOwner`` (writer thread)."""
        trouble, end_ms = file.failed, ticks_to_ms(file.lost_tick)
        if trouble is None:
            return
        if not file.begun:
            # Whatever gap was to end here goes on; with none, one begins. The next file ends it.
            self._outage.failed()
        detail, until = trouble.error.message, end_ms if file.begun else None
        if end_ms > file.end_ms:
            self._means.put(OpenGap(self.camera, self.role, file.end_ms, trouble.cause, detail, until))

    # --- what is told

    @property
    def buffered_bytes(self) -> int:
        """Media held in memory, besides what waits for the disk."""
        return self._gop.bytes + (self._writer.open_bytes if self._writer is not None else 0)

    def stats(self) -> dict[str, Any]:
        """One row of the recorder's ``stats`` (docs/design/architecture.md)."""
        session, status, totals = self.session, self.session.status, self.session.totals
        writer = self._writer
        reason, next_step = session.reason, session.next_step
        if writer is not None and writer.trouble is not None and session.state is StreamState.LIVE:
            reason, next_step = writer.trouble.error.message, writer.trouble.error.next_step
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
            "last_unit_ms": status.last_unit_ms or self._arrival_ms or None,
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

    def _make_writer(self) -> SegmentWriter:
        writer = SegmentWriter(self.camera, self.role, self._means.disk, self)
        writer.kept_tick = self._kept_tick
        if self._format is not None:
            writer.set_format(self._recorded_format(self._format))
        return writer

    def _recorded_format(self, stream_format: StreamFormat) -> StreamFormat:
        return stream_format if self._with_audio else replace(stream_format, audio=None)

    def _apply_format(self) -> None:
        if self._format is None:
            return
        shown = self._recorded_format(self._format)
        if self._writer is not None:
            self._writer.set_format(shown)
        self.relay.set_format(shown)

    def _on_state(self, _old: StreamState, _new: StreamState, cause: GapCause | None, reason: str) -> None:
        if cause is None:
            return
        self._gop.clear()
        if self._writer is not None:
            self._end_file()
            self._outage.open(self._kept_ms(), cause, reason)

    def _end_file(self) -> None:
        if self._writer is not None:
            self._kept_tick = self._writer.end_file()

    def _kept_ms(self) -> int:
        return ticks_to_ms(self._kept_tick) or self._began_ms

    def _replay(self) -> Iterable[AccessUnit]:
        return self._writer.replay() if self._writer is not None else self._gop.replay()

    def _set_fast(self, fast: bool) -> None:
        self.session.fast = fast


def _live_codec(stream_format: StreamFormat) -> str:
    """The RFC 6381 list a browser is asked about: ``avc1.640028,mp4a.40.2``."""
    tracks = (stream_format.video, stream_format.audio)
    return ",".join(track.codec_string for track in tracks if track is not None)
