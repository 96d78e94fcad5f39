"""RTP and RTCP over UDP: what arrived, put in order and framed as RTSP would interleave it, so that one
reader serves both ways; and what the camera is told, so that it and any router go on sending."""

from __future__ import annotations

import struct

from beholden.ingest import refusal
from beholden.ingest.datagrams import BindDatagrams, Datagrams
from beholden.ingest.reorder import Reorder

REPORT_SECONDS = 5.0
ENOUGH_BUFFER = 1 << 20
"""What the kernel must keep for a stream to be read only once a tick; with less, it is read as data
arrives."""
_MOST_PACKETS = 8192  # in one read
_RECEIVER_REPORT, _SOURCE_DESCRIPTION, _SENDER_REPORT = 201, 202, 200
_OUR_SSRC = 0xBE401DE4
_NAME = b"beholden"
_EMPTY_RTP = struct.pack(">BBHII", 0x80, 0, 0, 0, 0)


class UdpTrack:
    """One track: two ports, a reorder buffer, and its receiver reports. ``channel`` is even."""

    def __init__(self, pair: Datagrams, channel: int) -> None:
        self.pair = pair
        self.channel = channel
        self.packets = 0
        self.order = Reorder()
        self._report_ntp = 0
        self._report_at = 0.0
        self._told = (0, 0)  # expected and received at the report before

    def read(self, now: float, frames: list[bytes]) -> None:
        """Append what is ready as interleaved frames, media before reports."""
        ready: list[bytes] = []
        for _ in range(_MOST_PACKETS):
            packet = self.pair.receive(False)
            if packet is None:
                break
            if len(packet) >= 12 and packet[0] >> 6 == 2:
                self.packets += 1
                self.order.push(packet, now, ready)
        self.order.expire(now, ready)
        for packet in ready:
            frames += (struct.pack(">BBH", 0x24, self.channel, len(packet)), packet)
        while (report := self.pair.receive(True)) is not None:
            self._note(report, now)
            frames += (struct.pack(">BBH", 0x24, self.channel + 1, len(report)), report)

    def punch(self) -> None:
        """Open the way back through a router or firewall, as ffmpeg and VLC do."""
        self.pair.send(_EMPTY_RTP, False)
        self.pair.send(self._description(struct.pack(">BBHI", 0x80, _RECEIVER_REPORT, 1, _OUR_SSRC)), True)

    def report(self, now: float) -> None:
        """Tell the camera what arrived (RFC 3550 section 6.4.2)."""
        order = self.order
        if order.first < 0:
            self.punch()
            return
        expected = order.highest - order.first + 1
        fresh, lost = expected - self._told[0], expected - order.received
        missing = max(0, fresh - (order.received - self._told[1]))
        self._told = (expected, order.received)
        fraction = min(255, 256 * missing // fresh) if fresh > 0 else 0
        since = min(0xFFFFFFFF, int((now - self._report_at) * 65_536)) if self._report_ntp else 0
        body = struct.pack(
            ">BBHIIIIIII",
            0x81, _RECEIVER_REPORT, 7, _OUR_SSRC, order.ssrc,
            fraction << 24 | max(0, min(0x7FFFFF, lost)), order.highest & 0xFFFFFFFF, 0,
            self._report_ntp, since,
        )  # fmt: skip
        self.pair.send(self._description(body), True)

    def _note(self, report: bytes, now: float) -> None:
        if len(report) >= 16 and report[1] == _SENDER_REPORT:
            self._report_ntp = int.from_bytes(report[10:14], "big")  # the middle 32 of the 64 bits
            self._report_at = now

    def _description(self, report: bytes) -> bytes:
        # A compound packet must name its source (section 6.1).
        item = bytes((1, len(_NAME))) + _NAME
        chunk = struct.pack(">I", _OUR_SSRC) + item + bytes(4 - len(item) % 4)
        return report + struct.pack(">BBH", 0x81, _SOURCE_DESCRIPTION, len(chunk) // 4) + chunk


class UdpMedia:
    """All tracks of one pull over UDP."""

    def __init__(self, bind: BindDatagrams, local: str, peer: str) -> None:
        self.tracks: list[UdpTrack] = []
        self._bind = bind
        self._local = local
        self._peer = peer
        self._next_report = 0.0

    @property
    def packets(self) -> int:
        """RTP packets that arrived, of any track."""
        return sum(track.packets for track in self.tracks)

    @property
    def urgent(self) -> bool:
        """Whether the kernel keeps too little for a stream to wait for the next tick."""
        return any(track.pair.buffer_bytes < ENOUGH_BUFFER for track in self.tracks)

    def add(self, channel: int) -> tuple[int, int]:
        """Take two ports for a track; SourceError ``no_udp_ports``. The same channel asked for again keeps
        its."""
        for track in self.tracks:
            if track.channel == channel:
                return track.pair.ports
        try:
            pair = self._bind(self._local)
        except OSError as error:
            raise refusal.no_ports(error) from None
        self.tracks.append(UdpTrack(pair, channel))
        return pair.ports

    def aim(self, channel: int, transport: str) -> None:
        """Send to, and hear, what the reply to SETUP names; the camera's own host whatever it says."""
        for track in self.tracks:
            if track.channel == channel:
                track.pair.aim(self._peer, _server_ports(transport))

    def punch(self) -> None:
        """See ``UdpTrack.punch``."""
        for track in self.tracks:
            track.punch()

    def read(self, now: float) -> bytes:
        """All that arrived, framed."""
        frames: list[bytes] = []
        for track in self.tracks:
            track.read(now, frames)
        return b"".join(frames)

    def run_timers(self, now: float) -> None:
        """Send the reports that are due."""
        if now >= self._next_report:
            self._next_report = now + REPORT_SECONDS
            for track in self.tracks:
                track.report(now)

    def fileno(self) -> int | None:
        """The descriptor of the first track's media."""
        return self.tracks[0].pair.fileno() if self.tracks else None

    def close(self) -> None:
        """Give the ports back."""
        for track in self.tracks:
            track.pair.close()


def _server_ports(transport: str) -> tuple[int, int]:
    for word in transport.split(";"):
        name, _, value = word.strip().partition("=")
        if name.lower() == "server_port":
            first, _, second = value.partition("-")
            rtp = _port(first)
            return rtp, _port(second) or (rtp + 1 if 0 < rtp < 65_535 else 0)
    return 0, 0


def _port(text: str) -> int:
    text = text.strip()
    fits = text.isascii() and text.isdecimal() and len(text) < 6 and int(text) < 65_536
    return int(text) if fits else 0
