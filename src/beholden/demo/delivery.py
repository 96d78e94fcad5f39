"""From a playout to one client: interleaved in its RTSP connection, or over UDP."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from beholden.demo.camera import Playout, Stamped
from beholden.demo.clip import FRAMING, Picture
from beholden.demo.faults import Fault, Outgoing, Packet

REPORT_SECONDS = 5.0
BACKLOG = 4 << 20
"""Unsent bytes at which a slow client loses pictures up to the next keyframe."""
_NTP_EPOCH = 2_208_988_800


class SentPicture(NamedTuple):
    """One picture as it left: ``session`` the RTSP session, ``number`` its place in the clip, ``round`` of
    the loop,
    ``timestamp`` RTP, ``at_ms`` wall time, ``size`` bytes with the audio up to the next picture."""

    session: str
    number: int
    round: int
    timestamp: int
    at_ms: int
    size: int
    key: bool


class Carrier(Protocol):
    """How packets reach the client. ``channel`` is what the client chose for a track."""

    def write(self, data: bytes | memoryview) -> None:
        """Bytes as they are, into the stream; UDP, which has none, ignores them."""
        ...

    def packet(self, track: int, packet: bytes, report: bool = False) -> None:
        """One RTP or RTCP packet of a track."""
        ...

    def backlog(self) -> int:
        """Bytes not yet taken by the network."""
        ...

    def close(self) -> None:
        """Release what belongs to this carrier alone."""
        ...


class Interleaved:
    """RTP and RTCP framed in the RTSP connection (RFC 2326, 10.12)."""

    def __init__(
        self, transport: asyncio.Transport, channels: dict[int, int], bytes_per_second: int = 0
    ) -> None:
        self._transport = transport
        self._channels = channels
        self._rate = bytes_per_second
        self._waiting = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    def is_plain(self, track_count: int) -> bool:
        """Whether framed GOPs can be sent as they are: every track on its default channel, nothing
        throttled."""
        return not self._rate and self._channels == {track: 2 * track for track in range(track_count)}

    def write(self, data: bytes | memoryview) -> None:
        if not self._rate:
            self._transport.write(data)
            return
        self._waiting += data
        if self._timer is None:
            self._trickle()

    def packet(self, track: int, packet: bytes, report: bool = False) -> None:
        if track in self._channels:
            self.write(struct.pack(">BBH", 0x24, self._channels[track] + report, len(packet)) + packet)

    def backlog(self) -> int:
        return self._transport.get_write_buffer_size() + len(self._waiting)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _trickle(self) -> None:
        portion = max(1, self._rate // 20)
        self._transport.write(bytes(self._waiting[:portion]))
        del self._waiting[:portion]
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(0.05, self._trickle) if self._waiting else None


class Datagrams:
    """RTP and RTCP over UDP; ``sockets`` gives per track the sockets and the client's address."""

    def __init__(
        self, pairs: dict[int, tuple[socket.socket, socket.socket]], client: dict[int, tuple[str, int, int]]
    ) -> None:
        self._pairs = pairs
        self._client = client

    def write(self, data: bytes | memoryview) -> None:
        """Nothing: a stream of bytes is what UDP does not have."""

    def packet(self, track: int, packet: bytes, report: bool = False) -> None:
        if track not in self._pairs:
            return
        host, rtp_port, rtcp_port = self._client[track]
        try:
            self._pairs[track][report].sendto(packet, (host, rtcp_port if report else rtp_port))
        except OSError:
            return  # a full socket buffer or a port already closed: UDP loses it

    def backlog(self) -> int:
        return 0

    def close(self) -> None:
        for pair in self._pairs.values():
            for each in pair:
                each.close()


class Delivery:
    """One playing client: faults applied, reports added, what was sent recorded."""

    def __init__(
        self,
        playout: Playout,
        carrier: Carrier,
        faults: list[Fault],
        session: str,
        log: Callable[[SentPicture], None],
        find: Callable[[str, str], Playout | None],
        hang_up: Callable[[], None],
    ) -> None:
        self._playout = playout
        self._carrier = carrier
        self._faults = faults
        self._session = session
        self._log = log
        self._find = find
        self._hang_up = hang_up
        self._loop = asyncio.get_running_loop()
        self._started = 0.0
        self._next_report = 0.0
        self._waits_for_key = not any(fault.mid_gop for fault in faults)
        self._reports = not any(fault.silences_reports for fault in faults)
        plain = isinstance(carrier, Interleaved) and carrier.is_plain(len(playout.clip.tracks))
        self._plain = plain and not faults
        self._sent = 0
        self._splice: _Splice | None = None
        self._last: dict[str, _Last] = {}

    def start(self) -> None:
        """Begin to receive pictures."""
        self._playout.join(self)

    def stop(self) -> None:
        """End; the carrier is closed."""
        self._playout.leave(self)
        self._carrier.close()

    def send(self, stamped: Stamped, picture: Picture) -> None:
        """Send one picture (``Viewer``)."""
        if self._waits_for_key and not picture.key:
            return
        self._waits_for_key = self._carrier.backlog() > BACKLOG
        if self._waits_for_key:
            return
        self._started = self._started or self._loop.time()
        if self._reports and self._loop.time() >= self._next_report:
            self._report()
        if self._plain:
            data = stamped.data[picture.first_byte : picture.end_byte]
            self._carrier.write(data)
            self._record(stamped, picture, int.from_bytes(data[8:12], "big"), len(data))
        else:
            self._send_packets(stamped, picture)

    def _send_packets(self, stamped: Stamped, picture: Picture) -> None:
        rates = {track.index: track.rate for track in self._playout.clip.tracks}
        packets = list(self._packets(stamped, picture))
        out = Outgoing(packets, self._loop.time() - self._started, self._sent, picture.key, rates)
        if self._splice is not None:
            self._splice.apply(packets, self._last, rates, self._loop.time())
        for fault in self._faults:
            fault.outgoing(out)
        if out.close:
            self._hang_up()
        elif out.move_to:
            self._move(out.move_to)
        else:
            self._deliver(stamped, picture, out.packets)

    def _deliver(self, stamped: Stamped, picture: Picture, packets: list[Packet]) -> None:
        size = 0
        timestamp: int | None = None
        for packet in packets:
            header = struct.pack(
                ">BBHII",
                0x80,
                (0x80 if packet.marker else 0) | packet.payload_type,
                packet.sequence,
                packet.timestamp,
                packet.ssrc,
            )
            if packet.junk:
                self._carrier.write(packet.junk)
            self._carrier.packet(packet.track, header + packet.payload)
            self._last[packet.kind] = _Last(packet.sequence, packet.timestamp, packet.ssrc, self._loop.time())
            size += len(packet.payload) + 12
            if packet.kind == "video":
                timestamp = packet.timestamp
        if timestamp is not None:
            self._record(stamped, picture, timestamp, size)

    def _record(self, stamped: Stamped, picture: Picture, timestamp: int, size: int) -> None:
        self._sent += 1
        now = time.time_ns() // 1_000_000
        self._log(
            SentPicture(self._session, picture.number, stamped.round, timestamp, now, size, picture.key)
        )

    def _packets(self, stamped: Stamped, picture: Picture) -> list[Packet]:
        gop, tracks = stamped.gop, self._playout.clip.tracks
        found = []
        for index in range(picture.first_packet, picture.end_packet):
            at = int(gop.offsets[index]) + FRAMING
            size = int.from_bytes(stamped.data[at - 2 : at], "big")
            _, kind, sequence, timestamp, ssrc = struct.unpack_from(">BBHII", stamped.data, at)
            track = tracks[int(gop.tracks[index])]
            payload = bytes(stamped.data[at + 12 : at + size])
            found.append(
                Packet(track.kind, track.index, kind >= 0x80, kind & 0x7F, sequence, timestamp, ssrc, payload)
            )
        return found

    def _move(self, name: str) -> None:
        other = self._find(name, self._playout.stream)
        if other is None:
            self._hang_up()
            return
        self._playout.leave(self)
        self._playout = other
        self._splice = _Splice()
        self._waits_for_key = True
        other.join(self)

    def _report(self) -> None:
        """An RTCP sender report per track (RFC 3550, 6.4.1): this wall instant on the track's RTP clock."""
        self._next_report = self._loop.time() + REPORT_SECONDS
        seconds, fraction = divmod(time.time(), 1)
        for track in self._playout.clip.tracks:
            rtp = self._playout.rtp_now(track.index)
            ssrc = self._playout.ssrc[track.index]
            probe = Packet(track.kind, track.index, False, track.payload_type, 0, rtp, ssrc, b"")
            self._through_faults(probe)
            wrong = sum(int(fault.wall_error(track.kind)) for fault in self._faults)
            report = struct.pack(
                ">BBHIIIIII", 0x80, 200, 6, probe.ssrc, (int(seconds) + wrong + _NTP_EPOCH) & 0xFFFFFFFF,
                int(fraction * 2**32), probe.timestamp, self._sent, 0,
            )  # fmt: skip
            self._carrier.packet(track.index, report, report=True)

    def _through_faults(self, probe: Packet) -> None:
        """Give a report the clock faults of the media it reports on."""
        rates = {track.index: track.rate for track in self._playout.clip.tracks}
        if self._splice is not None:
            self._splice.apply([probe], self._last, rates, self._loop.time())
        for fault in self._faults:
            if fault.shifts_time:
                fault.outgoing(Outgoing([probe], self._loop.time() - self._started, self._sent, False, rates))


class _Last(NamedTuple):
    sequence: int
    timestamp: int
    ssrc: int
    at: float


class _Splice:
    """Makes another clip's packets go on where the first one's stopped."""

    def __init__(self) -> None:
        self._shift: dict[str, tuple[int, int, int]] = {}

    def apply(self, packets: list[Packet], last: dict[str, _Last], rates: dict[int, int], now: float) -> None:
        for packet in packets:
            if packet.kind not in self._shift:
                if packet.kind not in last:
                    continue
                before = last[packet.kind]
                passed = round((now - before.at) * rates[packet.track])
                self._shift[packet.kind] = (
                    before.sequence + 1 - packet.sequence,
                    before.timestamp + passed - packet.timestamp,
                    before.ssrc,
                )
            sequence, timestamp, packet.ssrc = self._shift[packet.kind]
            packet.sequence = (packet.sequence + sequence) & 0xFFFF
            packet.timestamp = (packet.timestamp + timestamp) & 0xFFFFFFFF
