"""Our own RTSP client: one connection, with TLS or without, read in big pieces; media in it or over UDP.

RFC 2326 as cameras speak it. A state machine: each reply says what is asked next (OPTIONS, DESCRIBE, SETUP
for video and sound, PLAY), and media may arrive at any time after the first SETUP.
See ``docs/design/ingest.md``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin, urlsplit

from beholden.ingest import refusal, sdp
from beholden.ingest.auth import Credentials, choose_challenge
from beholden.ingest.connection import Connection, Wire, WireFactory
from beholden.ingest.datagrams import BindDatagrams, SocketPair
from beholden.ingest.feed import Feed
from beholden.ingest.message import Message, MessageError, may_begin, read, request
from beholden.ingest.rtp.aac import AacDepacketiser
from beholden.ingest.rtp.audio import AudioDepacketiser
from beholden.ingest.rtp.av1 import Av1Depacketiser
from beholden.ingest.rtp.h264 import H264Depacketiser
from beholden.ingest.rtp.h265 import H265Depacketiser
from beholden.ingest.rtp.mjpeg import MjpegDepacketiser
from beholden.ingest.rtp.opus import OpusDepacketiser
from beholden.ingest.rtp.packet import sender_reports
from beholden.ingest.rtp.pcm import PcmDepacketiser
from beholden.ingest.rtp.video import ParameterSetSink, PictureSink, VideoDepacketiser
from beholden.ingest.source import SourceError
from beholden.ingest.status import SourceStatus
from beholden.ingest.udp import UdpMedia
from beholden.model.camera import StreamAddress, Transport
from beholden.model.media import AudioFormat, StreamSink, Track, VideoCodec
from beholden.model.time import Clock

REPLY_SECONDS: Final = 10.0
# What a fragment brings comes in one or two reads. After a few of them malloc keeps as much at hand.
READ_BYTES: Final = 262_144
_MOST_PER_POLL: Final = 1 << 20
_MAX_JUNK: Final = 1 << 20
_MAX_REDIRECTS: Final = 3
_AGENT: Final = "Beholden"
_VideoKind = Callable[[int, int, PictureSink, ParameterSetSink, tuple[bytes, ...]], VideoDepacketiser]
_VIDEO: dict[VideoCodec, _VideoKind] = {
    "h264": H264Depacketiser,
    "h265": H265Depacketiser,
    "av1": Av1Depacketiser,
    "mjpeg": MjpegDepacketiser,
}


@dataclass(slots=True)
class _Request:
    method: str
    url: str
    on_reply: Callable[[Message], None]
    headers: dict[str, str]
    cseq: int = 0
    retries: int = 0
    answered: tuple[str, str] | None = None  # (scheme, nonce) of the challenge this request answered


@dataclass(slots=True)
class _Session:
    identifier: str = ""
    timeout: float = 60.0
    keep_alive: str = "OPTIONS"
    next_keep_alive: float = 0.0
    to_set_up: list[sdp.Media] = field(default_factory=list)
    base: str = ""
    aggregate: str = ""
    playing: bool = False

    @property
    def keep_alive_seconds(self) -> float:
        """How often to show that somebody is there: twice in the camera's patience at least."""
        return min(30.0, self.timeout / 2)


class RtspSource:
    """One pull over RTSP. See ``source.Source`` for the contract.

    Media comes interleaved over TCP; over UDP where the address says so, or where it leaves the choice and
    the camera refuses TCP (461).
    """

    def __init__(
        self,
        address: StreamAddress,
        sink: StreamSink,
        clock: Clock,
        *,
        after_pts: int = 0,
        reply_seconds: float = REPLY_SECONDS,
        connect: WireFactory = Connection,
        bind: BindDatagrams = SocketPair,
    ) -> None:
        self.status = SourceStatus(transport="udp" if address.transport is Transport.UDP else "tcp")
        self._sink = sink
        self._clock = clock
        self._after_pts = after_pts
        self._reply_seconds = reply_seconds
        self._connect_to = connect
        self._bind = bind
        self._udp: UdpMedia | None = None
        self._address = address
        self._url = ""
        self._credentials = Credentials(address.username, address.password)
        self._connection: Wire | None = None
        self._now = 0.0
        self._rest = b""
        self._junk = 0
        self._redirects = 0
        self._cseq = 0
        self._pending: _Request | None = None
        self._deadline = 0.0
        self._session = _Session()
        self._video: VideoDepacketiser | None = None
        self._audio: AudioDepacketiser | None = None
        self._audio_channel = self._video_reports = self._audio_reports = -1
        self._feed: Feed | None = None

    # ------------------------------------------------------------------ the contract

    def poll(self, now: float) -> None:
        if self._feed is not None:
            self._feed.read_after(now - self._now)
        self._now = now
        connection = self._connection
        if connection is None:
            connection = self._connect(now)
        if not connection.open or connection.wants_write():
            connection.advance(now)
            if not connection.open:
                return
        if not self.status.connected:
            self.status.connected = True
            self._ask("OPTIONS", self._url, self._on_options)
        self._read(connection)
        if self._udp is not None:
            self._read_datagrams(self._udp, now)
        if self._connection is connection:
            self._run_timers(now)

    def fileno(self) -> int | None:
        if self._udp is not None and self._session.playing:
            return self._udp.fileno()  # the connection itself can wait for the tick
        return self._connection.fileno() if self._connection is not None else None

    def wants_write(self) -> bool:
        return self._connection is not None and self._connection.wants_write()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        udp, self._udp = self._udp, None
        if udp is not None:
            udp.close()
        if connection is None:
            return
        if connection.open and self._session.identifier:
            with contextlib.suppress(SourceError):  # it may be gone already
                self._send_now(connection, _Request("TEARDOWN", self._session.aggregate, _ignore, {}))
                # Closing with media unread resets the connection, and the camera may never read the request.
                while connection.receive(READ_BYTES):
                    continue
        connection.close()

    # ------------------------------------------------------------------ reading

    def _connect(self, now: float) -> Wire:
        self._url = self._url or refusal.checked_url(self._address.url)
        parts = urlsplit(self._url)
        secure = parts.scheme == "rtsps"
        if secure and self.status.transport == "udp":
            raise refusal.udp_in_the_clear()
        self._connection = self._connect_to(
            parts.hostname or "",
            parts.port or (322 if secure else 554),
            now,
            self._address.certificate if secure else None,
        )
        return self._connection

    def _read(self, connection: Wire) -> None:
        got = 0
        while got < _MOST_PER_POLL:
            chunk = connection.receive(READ_BYTES)
            if chunk is None:
                return
            if not chunk:
                raise refusal.closed(self.status.bytes > 0, self._session.playing)
            got += len(chunk)
            self.status.bytes += len(chunk)
            if self._feed is not None:
                self._feed.arrival_ms = self._clock.now_ms()
            self._rest = self._consume(self._rest + chunk if self._rest else chunk)
            if self._connection is not connection:
                return  # sent elsewhere
            self._count()
            if len(chunk) < READ_BYTES and connection.short_is_all:
                return

    def _read_datagrams(self, udp: UdpMedia, now: float) -> None:
        frames = udp.read(now)
        if frames and self._feed is not None:
            self.status.bytes += len(frames)
            self._feed.arrival_ms = self._clock.now_ms()
            self._consume(frames)
            self._count()
        if self._session.playing:
            udp.run_timers(now)

    def _consume(self, data: bytes) -> bytes:
        position, size = 0, len(data)
        while True:
            if self._video is not None:
                position = self._video.walk(data, position, size)
            if size - position < 4:
                break
            if data[position] == 0x24:
                end = position + 4 + ((data[position + 2] << 8) | data[position + 3])
                if end > size:
                    break
                self._frame(data, data[position + 1], position + 4, end)
                position = end
            else:
                after = self._text(data, position)
                if after < 0:
                    break
                position = after
        return data[position:]

    def _frame(self, data: bytes, channel: int, start: int, end: int) -> None:
        video, audio, feed = self._video, self._audio, self._feed
        if video is not None and channel == video.channel:
            video.packet(data, start, end)
        elif audio is not None and channel == self._audio_channel:
            audio.packet(data, start, end)
        elif feed is not None and channel in (self._video_reports, self._audio_reports):
            track = Track.VIDEO if channel == self._video_reports else Track.AUDIO
            for report in sender_reports(data, start, end):
                feed.sender_report(track, report)

    def _text(self, data: bytes, position: int) -> int:
        # A message, or what should not be there. Returns where it ends, -1 while that is not known.
        begins = may_begin(data, position)
        if begins is None:
            return -1
        if begins:
            try:
                found = read(data, position)
            except MessageError as error:
                if self._session.playing:
                    return self._skip_junk(data, position)
                raise refusal.not_rtsp(data[position : position + 16], str(error)) from None
            if found is None:
                return -1
            self._on_message(found[0])
            return found[1]
        if data[position] in b"\r\n":
            return position + 1
        if self._video is None:
            raise refusal.not_rtsp(data[position : position + 16])
        return self._skip_junk(data, position)

    def _skip_junk(self, data: bytes, position: int) -> int:
        following = data.find(b"$", position + 1)
        if following < 0:
            following = len(data)
        self._junk += following - position
        if self._junk > _MAX_JUNK:
            raise refusal.garbled()
        return following

    def _count(self) -> None:
        status, video, audio = self.status, self._video, self._audio
        if self._feed is not None:
            status.bridging = self._feed.bridging
        if video is not None:
            status.packets = video.packets
            status.lost_packets = video.sequence.lost
            status.dropped_pictures = video.dropped
            if audio is not None:
                status.packets += audio.packets
                status.lost_packets += audio.sequence.lost

    # ------------------------------------------------------------------ asking

    def _ask(self, method: str, url: str, on_reply: Callable[[Message], None], **headers: str) -> None:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self._pending = _Request(method, url, on_reply, names)
        assert self._connection is not None
        self._send_now(self._connection, self._pending)

    def _send_now(self, connection: Wire, asked: _Request) -> None:
        self._cseq += 1
        asked.cseq = self._cseq
        headers = {"CSeq": str(asked.cseq), "User-Agent": _AGENT, **asked.headers}
        if self._session.identifier:
            headers["Session"] = self._session.identifier
        authorization = self._credentials.header(asked.method, asked.url)
        if authorization is not None:
            headers["Authorization"] = authorization
        challenge = self._credentials.challenge
        asked.answered = (challenge.scheme, challenge.nonce) if challenge else None
        self._deadline = self._now + self._reply_seconds
        connection.send(request(asked.method, asked.url, headers))

    def _run_timers(self, now: float) -> None:
        session = self._session
        if self._pending is not None and now > self._deadline:
            if not session.playing:
                raise refusal.silent(self._reply_seconds)
            self._pending = None
        if session.playing and self._pending is None and now >= session.next_keep_alive:
            session.next_keep_alive = now + session.keep_alive_seconds
            self._ask(session.keep_alive, session.aggregate, _ignore)

    # ------------------------------------------------------------------ replies

    def _on_message(self, message: Message) -> None:
        if message.method:
            self._answer(message)
            return
        asked = self._pending
        number = message.header("cseq")
        if asked is None or message.status < 200 or (number.isdecimal() and number != str(asked.cseq)):
            return
        self._pending = None
        if message.status < 300:
            asked.on_reply(message)
        elif message.status == 401:
            self._on_unauthorised(asked, message)
        elif asked.method == "OPTIONS" and not self._session.playing:
            self._describe()
        elif self._session.playing:
            self._on_keep_alive_refused(asked, message)
        elif message.status in (301, 302, 303, 307, 308) and asked.method == "DESCRIBE":
            self._redirect(message.header("location"))
        elif message.status == 461 and asked.method == "SETUP" and self._video is None:
            self._on_transport_refused()
        elif asked.method == "SETUP" and self._video is not None:
            self._on_audio_refused()
        else:
            raise refusal.of_status(message.status, asked.method)

    def _answer(self, message: Message) -> None:
        number = message.header("cseq")
        if self._connection is not None and number.isdecimal() and len(number) < 12:
            self._connection.send(f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n\r\n".encode())

    def _on_unauthorised(self, asked: _Request, message: Message) -> None:
        challenge = choose_challenge(message.headers.get("www-authenticate", []))
        if not self._credentials.known:
            raise refusal.login_wanted()
        if challenge is None:
            raise refusal.unknown_login()
        tried_this = asked.answered == (challenge.scheme, challenge.nonce)
        fresh = challenge.stale and not tried_this and asked.retries < 2
        # A first answer, or a nonce the camera has changed since: once more. Else a wrong password
        # would be sent again and again, and cameras lock accounts for that.
        if not fresh and (tried_this or asked.retries >= 1):
            raise refusal.login_refused()
        self._credentials.accept(challenge)
        asked.retries += 1
        self._pending = asked
        assert self._connection is not None
        self._send_now(self._connection, asked)

    def _on_options(self, message: Message) -> None:
        public = message.header("public").upper()
        if "GET_PARAMETER" in public:
            self._session.keep_alive = "GET_PARAMETER"
        self._describe()

    def _describe(self) -> None:
        self._ask("DESCRIBE", self._url, self._on_description, Accept="application/sdp")

    def _on_description(self, message: Message) -> None:
        base = message.header("content-base") or message.header("content-location") or self._url
        description = sdp.parse(message.body.decode("utf-8", "replace"))
        video = next((media for media in description.media if sdp.video_codec(media)), None)
        if video is None:
            raise refusal.no_video([media.encoding for media in description.media if media.kind == "video"])
        if (
            video.parameters.get("packetization-mode") == "2"
            or video.parameters.get("sprop-max-don-diff", "0") != "0"
        ):
            raise refusal.interleaved_mode()
        session = self._session
        session.base = self._same_host(urljoin(self._url, base))
        session.aggregate = self._control(description.control)
        session.to_set_up = [video]
        sound = self._choose_sound(description)
        if sound is not None:
            session.to_set_up.append(sound[0])
        if any(media.kind == "application" for media in description.media):
            # It may tell who somebody is or what kind of person; only what is set up above is ever sent.
            self.status.notes.append("The camera offers results of its own analysis, which are not taken.")
        codec = sdp.video_codec(video)
        assert codec is not None
        self._feed = Feed(self._sink, self.status, codec, sound[1] if sound else None, self._after_pts)
        self._feed.arrival_ms = self._clock.now_ms()
        self._set_up_next()

    def _choose_sound(self, description: sdp.Description) -> tuple[sdp.Media, AudioFormat] | None:
        offered = [media for media in description.media if media.kind == "audio" and not media.towards_camera]
        for media in offered:
            found = sdp.audio_format(media)
            if found is not None:
                return media, found
        if offered:
            self.status.notes.append(
                f"The sound is in {offered[0].encoding or 'an unknown format'}, which cannot be kept."
            )
        return None

    def _set_up_next(self) -> None:
        session = self._session
        if not session.to_set_up:
            if self._udp is not None:
                self._udp.punch()
            self._ask("PLAY", session.aggregate, self._on_playing, Range="npt=0.000-")
            return
        media = session.to_set_up[0]
        channel = 0 if self._video is None else 2
        if self.status.transport == "udp":
            first, second = self._datagrams().add(channel)
            transport = f"RTP/AVP;unicast;client_port={first}-{second}"
        else:
            transport = f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
        self._ask("SETUP", self._control(media.control), self._on_set_up, Transport=transport)

    def _datagrams(self) -> UdpMedia:
        if self._udp is None:
            assert self._connection is not None
            self._udp = UdpMedia(self._bind, self._connection.local, self._connection.peer)
        return self._udp

    def _on_transport_refused(self) -> None:
        chosen = self._address.transport
        if chosen is Transport.TCP:
            raise refusal.no_tcp()
        if chosen is Transport.UDP:
            raise refusal.no_udp()
        if self.status.transport == "udp":
            raise refusal.no_transport()
        if urlsplit(self._url).scheme == "rtsps":
            raise refusal.udp_in_the_clear()
        self.status.transport = "udp"
        self._set_up_next()

    def _on_set_up(self, message: Message) -> None:
        session = self._session
        identifier, _, rest = message.header("session").partition(";")
        session.identifier = identifier.strip() or session.identifier
        name, _, seconds = rest.strip().partition("=")
        if name.strip().lower() == "timeout" and seconds[:6].strip().isdecimal():
            session.timeout = max(1.0, float(seconds[:6]))
        given = message.header("transport")
        asked = 0 if self._video is None else 2
        if self._udp is not None:
            if "TCP" in given.upper():
                raise refusal.no_udp()
            self._udp.aim(asked, given)
            channel, reports = asked, asked + 1
        elif given and "TCP" not in given.upper() and "interleaved" not in given.lower():
            self._on_transport_refused()
            return
        else:
            channel, reports = _channels(given, asked)
        media = session.to_set_up.pop(0)
        if self._video is None:
            self._video = self._make_video(media, channel)
            self._video_reports = reports
        else:
            self._audio = self._make_audio(media)
            self._audio_channel, self._audio_reports = channel, reports
            self._video.hear(self._audio, channel)
        self._set_up_next()

    def _on_audio_refused(self) -> None:
        self._session.to_set_up.clear()
        self.status.notes.append("The camera offers sound but does not send it.")
        if self._feed is not None:
            self._feed.without_audio()
        self._set_up_next()

    def _on_playing(self, _: Message) -> None:
        self._session.playing = self.status.playing = True
        self._session.next_keep_alive = self._now + self._session.keep_alive_seconds
        if self._udp is not None:
            self._udp.punch()
            self.status.urgent = self._udp.urgent

    def _on_keep_alive_refused(self, asked: _Request, message: Message) -> None:
        if message.status == 454:
            raise refusal.of_status(454, asked.method)
        self._session.keep_alive = "OPTIONS"

    def _redirect(self, location: str) -> None:
        self._redirects += 1
        if self._redirects > _MAX_REDIRECTS or not location:
            raise refusal.redirect_loop()
        before, self._url = self._url, self._same_host(urljoin(self._url, location))
        if before.startswith("rtsps:") and not self._url.startswith("rtsps:"):
            raise refusal.unencrypted_redirect()
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._session = _Session()
        self.status.connected = False

    # ------------------------------------------------------------------ tracks

    def _make_video(self, media: sdp.Media, channel: int) -> VideoDepacketiser:
        feed = self._feed
        assert feed is not None
        codec = sdp.video_codec(media)
        assert codec is not None
        return _VIDEO[codec](
            channel, media.payload_type, feed.picture, feed.parameter_sets, sdp.parameter_sets(media)
        )

    def _make_audio(self, media: sdp.Media) -> AudioDepacketiser:
        feed = self._feed
        assert feed is not None
        if media.encoding == "MPEG4-GENERIC":
            return AacDepacketiser(media.payload_type, feed.audio_frame, sdp.aac_layout(media))
        if media.encoding == "OPUS":
            return OpusDepacketiser(media.payload_type, feed.audio_frame)
        width = 2 if media.encoding == "L16" else 1
        return PcmDepacketiser(media.payload_type, feed.audio_frame, media.channels, width)

    def _control(self, control: str) -> str:
        # Cameras mean plain concatenation where RFC 3986 would replace the last path segment.
        base = self._session.base
        if not control or control == "*":
            return base
        if "://" in control:
            return self._same_host(control)
        if control.startswith("/"):
            return urljoin(base, control)
        return base + ("" if base.endswith("/") else "/") + control

    def _same_host(self, url: str) -> str:
        parts = urlsplit(refusal.checked_url(url))
        peer = self._connection.peer if self._connection is not None else ""
        if (parts.hostname or "").lower() not in (urlsplit(self._url).hostname, peer):
            raise refusal.other_host(parts.hostname or "")
        return parts.geturl()


def _ignore(message: Message) -> None:
    """A reply nothing depends on."""


def _channels(transport: str, asked: int) -> tuple[int, int]:
    # The camera may give other channels than were asked for.
    for word in transport.split(",", maxsplit=1)[0].split(";"):
        name, _, value = word.strip().partition("=")
        if name.lower() == "interleaved":
            first, _, second = value.partition("-")
            if first.isdecimal() and len(first) <= 3 and int(first) < 256:
                given = int(first)
                return given, int(second) if second.isdecimal() and len(second) <= 3 else given + 1
    return asked, asked + 1
