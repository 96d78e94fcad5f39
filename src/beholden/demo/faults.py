"""Named faults of virtual cameras, asked for in the URL: ``rtsp://host/gate/main?drop=3&no_marker``.

A fault is a class with a name and a docstring; its hooks are called for the connection that asked for it. To
add one:
subclass ``Fault``, set ``name``, override a hook. ``value`` is the text behind ``=``, empty without. Times
are
seconds since this viewer's first picture unless a docstring says otherwise.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple
from urllib.parse import parse_qsl, urlsplit, urlunsplit

NO_ANSWER = 0
"""What ``Fault.status`` returns to leave a request unanswered."""


class Asked(NamedTuple):
    """A request: its method, and seconds since anyone first asked for this URL."""

    method: str
    age: float


@dataclass(slots=True)
class Packet:
    """One RTP packet about to be sent, open to change. ``junk`` is sent before it (TCP only)."""

    kind: str
    track: int
    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    junk: bytes = b""


@dataclass(slots=True)
class Outgoing:
    """One picture, and the audio up to the next, on its way to one viewer.

    ``elapsed`` seconds since the first one, ``sent`` pictures sent to this viewer before it. A fault edits
    ``packets``, or sets
    ``close`` (end the connection instead of sending) or ``move_to`` (play that camera from now on).
    """

    packets: list[Packet]
    elapsed: float
    sent: int
    key: bool
    rates: dict[int, int]
    close: bool = False
    move_to: str = ""

    def only(self, kind: str) -> list[Packet]:
        """The packets of one kind of track."""
        return [packet for packet in self.packets if packet.kind == kind]


@dataclass(slots=True)
class Fault:
    """A camera without faults; the hooks' defaults."""

    value: str = ""
    state: dict[str, int] = field(default_factory=dict)

    name: ClassVar[str] = ""
    bytes_per_second: ClassVar[bool] = False
    early: ClassVar[bool] = False
    mid_gop: ClassVar[bool] = False
    silences_reports: ClassVar[bool] = False
    shifts_time: ClassVar[bool] = False
    refuses: ClassVar[str] = ""

    def status(self, asked: Asked) -> int | None:
        """What to answer a request with: None for the right answer, an error status, or NO_ANSWER."""

    def describe(self, sdp: str, url: str) -> str:  # noqa: ARG002 (for those that need it)
        """The session description as this camera gives it at ``url``."""
        return sdp

    def location(self, url: str) -> str:  # noqa: ARG002 (for those that need it)
        """Where a viewer who asks for ``url`` is sent instead; empty for nowhere."""
        return ""

    def patience(self) -> float:
        """Seconds without a request after which the camera ends a session; 0 for never."""
        return 0.0

    def wall_error(self, kind: str) -> float:  # noqa: ARG002 (for those that need it)
        """Seconds by which the camera's clock is wrong in the reports of one kind of track."""
        return 0.0

    def outgoing(self, out: Outgoing) -> None:
        """Change one picture on its way."""

    def number(self, default: float = 0.0, part: int = 0) -> float:
        """The part-th number of a value such as ``3:10``."""
        parts = self.value.split(":")
        return float(parts[part]) if len(parts) > part and parts[part] else default


class Drop(Fault):
    """``drop=S``: the connection is closed after S seconds, on every try."""

    name = "drop"

    def outgoing(self, out: Outgoing) -> None:
        out.close = out.elapsed >= self.number(3)


class Freeze(Fault):
    """``freeze=S``: after S seconds nothing is sent any more; the connection stays open and answers."""

    name = "freeze"

    def outgoing(self, out: Outgoing) -> None:
        if out.elapsed >= self.number(3):
            out.packets.clear()


class HalfOpen(Fault):
    """``half_open=S``: after S seconds nothing is sent, read or answered any more, as when a switch on the
    way lost power: the connection is neither closed nor reset."""

    name = "half_open"

    def status(self, asked: Asked) -> int | None:  # noqa: ARG002 (the hook)
        return NO_ANSWER if "gone" in self.state else None

    def outgoing(self, out: Outgoing) -> None:
        if out.elapsed >= self.number(3):
            self.state["gone"] = 1
            out.packets.clear()


class Count(Fault):
    """``count=N``: exactly N pictures are sent, then nothing; the connection stays open."""

    name = "count"

    def outgoing(self, out: Outgoing) -> None:
        if out.sent >= self.number(100):
            out.packets.clear()


class Garbage(Fault):
    """``garbage=N``: N random bytes (without ``$`` and ``R``) before every tenth picture's first packet,
    outside any frame (TCP)."""

    name = "garbage"

    def outgoing(self, out: Outgoing) -> None:
        if out.packets and out.sent % 10 == 5:
            junk = random.Random(out.sent).randbytes(int(self.number(64)))  # noqa: S311 - repeatable
            out.packets[0].junk = junk.replace(b"$", b"\x00").replace(b"R", b"\x01")


class BadFrames(Fault):
    """``bad_frames=N``: every Nth RTP payload is replaced by random bytes of the same length."""

    name = "bad_frames"

    def outgoing(self, out: Outgoing) -> None:
        for packet in out.packets:
            if packet.sequence % int(self.number(50)) == 0:
                packet.payload = random.Random(packet.sequence).randbytes(len(packet.payload))  # noqa: S311


class Jump(Fault):
    """``jump=S:D``: after S seconds RTP time jumps by D seconds (10; may be negative), once, on all
    tracks."""

    name = "jump"
    shifts_time = True

    def outgoing(self, out: Outgoing) -> None:
        if out.elapsed >= self.number(3):
            for packet in out.packets:
                step = round(self.number(10, part=1) * out.rates[packet.track])
                packet.timestamp = (packet.timestamp + step) & 0xFFFFFFFF


class Wrap(Fault):
    """``wrap=S``: RTP timestamps pass 2**32 S seconds after the first picture, on all tracks; sequence
    numbers wrap
    then too."""

    name = "wrap"
    shifts_time = True

    def outgoing(self, out: Outgoing) -> None:
        for packet in out.packets:
            track = str(packet.track)
            lead = round(self.number(2) * out.rates[packet.track])
            shift = self.state.setdefault("time" + track, -lead - packet.timestamp)
            packet.timestamp = (packet.timestamp + shift) & 0xFFFFFFFF
            if packet.payload:  # a report has none, and no sequence number
                step = self.state.setdefault("sequence" + track, -20 - packet.sequence)
                packet.sequence = (packet.sequence + step) & 0xFFFF


class StandStill(Fault):
    """``stand_still=S:D``: from S seconds on RTP time stands still for D seconds (2), on all tracks."""

    name = "stand_still"
    shifts_time = True

    def outgoing(self, out: Outgoing) -> None:
        begin, length = self.number(3), self.number(2, part=1)
        if begin <= out.elapsed < begin + length:
            for packet in out.packets:
                packet.timestamp = self.state.setdefault(f"track{packet.track}", packet.timestamp)


class Drift(Fault):
    """``drift=PPM``: the camera's RTP clock runs fast by PPM parts per million (100; may be negative)."""

    name = "drift"
    shifts_time = True

    def outgoing(self, out: Outgoing) -> None:
        for packet in out.packets:
            first = self.state.setdefault(f"track{packet.track}", packet.timestamp)
            ahead = round(_step(packet.timestamp, first) * self.number(100) / 1_000_000)
            packet.timestamp = (packet.timestamp + ahead) & 0xFFFFFFFF


class WrongClock(Fault):
    """``wrong_clock=S`` or ``wrong_clock=S:KIND``: sender reports (of audio or video) give a wall time that
    is wrong by S seconds (3600; may be negative)."""

    name = "wrong_clock"

    def wall_error(self, kind: str) -> float:
        return self.number(3600) if self.value.partition(":")[2] in ("", kind) else 0.0


class NoParameterSets(Fault):
    """``no_parameter_sets``: no SPS, PPS or VPS in the SDP; they come in band before each keyframe."""

    name = "no_parameter_sets"

    def describe(self, sdp: str, url: str) -> str:  # noqa: ARG002 (the hook)
        return re.sub(r";?\s*sprop-[a-z-]+=[^;\r]*", "", sdp)


class NoInBand(Fault):
    """``no_in_band``: parameter sets only in the SDP, none before keyframes."""

    name = "no_in_band"

    def outgoing(self, out: Outgoing) -> None:
        # A parameter set is small and alone in its packet: H.264 types 7, 8; H.265 types 32, 33, 34.
        out.packets = [p for p in out.packets if p.kind != "video" or not _is_parameter_set(p.payload)]


class NoMarker(Fault):
    """``no_marker``: the marker bit, which ends a picture, is never set."""

    name = "no_marker"

    def outgoing(self, out: Outgoing) -> None:
        for packet in out.only("video"):
            packet.marker = False


class Swap(Fault):
    """``swap=S:NAME``: at the first keyframe after S seconds the camera goes on with camera NAME's clip, as
    when someone changes
    its resolution: same session, SSRC and clock, new parameter sets in band."""

    name = "swap"

    def outgoing(self, out: Outgoing) -> None:
        if out.key and out.elapsed >= self.number(3) and "done" not in self.state:
            self.state["done"] = 1
            out.move_to = self.value.partition(":")[2]


class Recode(Fault):
    """``recode=S:NAME``: S seconds after the URL was first asked for, someone changes the camera's codec: it
    goes on with camera NAME's clip in the same session, and describes that to whoever asks from then on."""

    name = "recode"

    def status(self, asked: Asked) -> int | None:
        self.state["changed"] = int(asked.age >= self.number(3))
        return None

    def location(self, url: str) -> str:
        return _elsewhere(url, self.value.partition(":")[2]) if self.state.get("changed") else ""

    def outgoing(self, out: Outgoing) -> None:
        if out.key and out.elapsed >= self.number(3) and "done" not in self.state:
            self.state["done"] = 1
            out.move_to = self.value.partition(":")[2]


class NoAudio(Fault):
    """``no_audio``: the SDP has no audio track."""

    name = "no_audio"

    def describe(self, sdp: str, url: str) -> str:  # noqa: ARG002 (the hook)
        return re.sub(r"m=audio.*?(?=m=|\Z)", "", sdp, flags=re.DOTALL)


class AudioLate(Fault):
    """``audio_late=S``: the first audio packet comes S seconds after the first picture."""

    name = "audio_late"

    def outgoing(self, out: Outgoing) -> None:
        if out.elapsed < self.number(3):
            out.packets = out.only("video")


class AudioStops(Fault):
    """``audio_stops=S``: audio is described, and ends after S seconds."""

    name = "audio_stops"

    def outgoing(self, out: Outgoing) -> None:
        if out.elapsed >= self.number(3):
            out.packets = out.only("video")


class Loss(Fault):
    """``loss=P``: a share P (0..1) of packets is lost, the same ones each time (meant for UDP)."""

    name = "loss"

    def outgoing(self, out: Outgoing) -> None:
        share = self.number(0.01)
        out.packets = [p for p in out.packets if random.Random(p.sequence).random() >= share]  # noqa: S311


class Reorder(Fault):
    """``reorder``: the first two packets of each picture change places."""

    name = "reorder"

    def outgoing(self, out: Outgoing) -> None:
        if len(out.packets) > 1:
            out.packets[0], out.packets[1] = out.packets[1], out.packets[0]


class Duplicate(Fault):
    """``duplicate``: the first packet of each picture is sent twice."""

    name = "duplicate"

    def outgoing(self, out: Outgoing) -> None:
        out.packets = out.packets[:1] + out.packets


class Silent(Fault):
    """``silent`` or ``silent=METHOD``: the connection is accepted and requests (from METHOD on) are
    never answered."""

    name = "silent"

    def status(self, asked: Asked) -> int | None:
        if not self.value or asked.method == self.value.upper():
            self.state["silent"] = 1
        return NO_ANSWER if self.state else None


class Trickle(Fault):
    """``trickle=B``: media leaves at B bytes a second, however much there is."""

    name = "trickle"
    bytes_per_second = True


class Unauthorised(Fault):
    """``unauthorised=S``: S seconds after the URL was first asked for the login stops being good: the stream
    ends,
    and every request is answered 401."""

    name = "unauthorised"

    def status(self, asked: Asked) -> int | None:
        return 401 if asked.age >= self.number(3) else None

    def outgoing(self, out: Outgoing) -> None:
        out.close = out.elapsed >= self.number(3)


class Refuse(Fault):
    """``refuse=STATUS`` or ``refuse=STATUS:METHOD``: METHOD (DESCRIBE) is answered with that status,
    e.g. 404, 454, 503."""

    name = "refuse"

    def status(self, asked: Asked) -> int | None:
        wanted = self.value.partition(":")[2].upper() or "DESCRIBE"
        return int(self.number(404)) if asked.method == wanted else None


class NoTcp(Fault):
    """``no_tcp``: RTP over the RTSP connection is refused with 461; UDP is offered."""

    name = "no_tcp"
    refuses = "tcp"


class NoUdp(Fault):
    """``no_udp``: UDP is refused with 461; RTP over the RTSP connection is offered."""

    name = "no_udp"
    refuses = "udp"


class Redirect(Fault):
    """``redirect=NAME`` or ``redirect=//HOST``: DESCRIBE is answered with 302 to that camera, or to the same
    path at another host; the new address asks for no faults."""

    name = "redirect"

    def location(self, url: str) -> str:
        return _elsewhere(url, self.value)


class RedirectLoop(Fault):
    """``redirect_loop``: DESCRIBE is answered with 302 to the same address, again and again."""

    name = "redirect_loop"

    def location(self, url: str) -> str:
        return url


class AbsoluteControl(Fault):
    """``absolute_control`` or ``absolute_control=HOST``: the description's control addresses are whole URLs,
    at this host or another."""

    name = "absolute_control"

    def describe(self, sdp: str, url: str) -> str:
        base = url if not self.value else _elsewhere(url, f"//{self.value}")
        return sdp.replace("a=control:track", f"a=control:{base.rstrip('/')}/track")


class SessionTimeout(Fault):
    """``session_timeout=S``: the session ends when no request came for S seconds (10), and says so in
    SETUP."""

    name = "session_timeout"

    def patience(self) -> float:
        return self.number(10)


class MidGop(Fault):
    """``mid_gop``: pictures are sent at once, even when the next is no keyframe."""

    name = "mid_gop"
    mid_gop = True

    def outgoing(self, out: Outgoing) -> None:
        if out.key and out.sent == 0:
            out.packets.clear()


class Early(Fault):
    """``early``: media is sent before the reply to PLAY."""

    name = "early"
    early = True


class NoReports(Fault):
    """``no_reports``: no RTCP sender reports."""

    name = "no_reports"
    silences_reports = True


class UnknownCodec(Fault):
    """``unknown_codec``: the camera describes MPEG-4 Part 2 video, which is not recorded."""

    name = "unknown_codec"

    def describe(self, sdp: str, url: str) -> str:  # noqa: ARG002 (the hook)
        sdp = re.sub(r"a=fmtp:96 [^\r]*\r\n", "", sdp)
        return re.sub(r"a=rtpmap:96 H26\d/90000", "a=rtpmap:96 MP4V-ES/90000", sdp)


def _concrete() -> dict[str, type[Fault]]:
    return {fault.name: fault for fault in Fault.__subclasses__()}


FAULTS: dict[str, type[Fault]] = _concrete()


def parse_faults(query: str) -> list[Fault]:
    """The faults a URL's query asks for; KeyError names an unknown one."""
    return [FAULTS[name](value) for name, value in parse_qsl(query, keep_blank_values=True)]


def _elsewhere(url: str, where: str) -> str:
    """The same stream of the camera called ``where``, or with ``//HOST`` the same path at that host."""
    parts = urlsplit(url)
    if where.startswith("//"):
        return urlunsplit((parts.scheme, where[2:], parts.path, "", ""))
    stream = parts.path.rstrip("/").rpartition("/")[2]
    return urlunsplit((parts.scheme, parts.netloc, f"/{where}/{stream}", "", ""))


def _step(stamp: int, before: int) -> int:
    return ((stamp - before + 2**31) & 0xFFFFFFFF) - 2**31


def _is_parameter_set(payload: bytes) -> bool:
    if len(payload) > 400:
        return False
    return payload[0] & 0x9F in (7, 8) or (payload[0] >> 1 in (32, 33, 34) and payload[1] == 1)
