"""Why a pull failed, in words for people: one function a reason."""

from __future__ import annotations

import errno
import os
import ssl
from urllib.parse import urlsplit, urlunsplit

from beholden.ingest.source import SourceError
from beholden.model.camera import StreamState
from beholden.model.gap import GapCause

_OTHER_STREAM = "Set this stream to H.264 or H.265 in the camera, or use the address of another stream."
_CHECK_ADDRESS = "Check the camera's RTSP address; it usually uses port 554."
_CHECK_POWER = "Check the camera's power and network."
_WAY_IS_BROKEN = (
    errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL, errno.ENONET,
)  # fmt: skip


def _unsupported(code: str, message: str, next_step: str, fallback: bool = False) -> SourceError:
    return SourceError(
        StreamState.UNSUPPORTED, GapCause.STREAM_UNSUPPORTED, code, message, next_step, fallback
    )


def _login(code: str, message: str, next_step: str) -> SourceError:
    return SourceError(StreamState.REFUSED, GapCause.LOGIN_REFUSED, code, message, next_step)


def _refused(code: str, message: str, next_step: str) -> SourceError:
    return SourceError(StreamState.REFUSED, GapCause.CAMERA_LOST, code, message, next_step)


def _lost(code: str, message: str, next_step: str = "") -> SourceError:
    return SourceError(StreamState.OFFLINE, GapCause.CAMERA_LOST, code, message, next_step)


def _unreachable(code: str, message: str, next_step: str) -> SourceError:
    return SourceError(StreamState.OFFLINE, GapCause.NETWORK, code, message, next_step)


def checked_url(url: str) -> str:
    """An RTSP URL without user information; raises for anything else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _unsupported(
            "bad_address", "The camera's address is not a valid URL.", "Write it as rtsp://host/path."
        ) from None
    if parts.scheme in ("http", "https"):
        raise _unsupported(
            "http_address",
            "The address is a web address, not an RTSP stream.",
            "Use the camera's rtsp:// address; Motion JPEG over HTTP cannot be recorded.",
        )
    if parts.scheme not in ("rtsp", "rtsps") or not host or port == 0:
        raise _unsupported(
            "bad_address", "The address is not an RTSP address.", "Write it as rtsp://host/path."
        )
    place = f"[{host}]" if ":" in host else host
    place = f"{place}:{port}" if port else place
    return urlunsplit((parts.scheme, place, parts.path, parts.query, ""))


def of_status(status: int, method: str) -> SourceError:
    """What a reply's status means."""
    if status == 403:
        return _login(
            "stream_forbidden",
            "The camera does not allow this user to view the stream.",
            "Give the user the right to view video.",
        )
    if status in (404, 410, 451):
        return _refused(
            "no_such_stream",
            f"The camera has no stream at this path (it answered {status}).",
            "Check the path of the address.",
        )
    if status == 461:
        return no_transport()
    if status in (453, 503):
        return _lost(
            "camera_busy",
            f"The camera has no room for another viewer (it answered {status}).",
            "Close other programs that view it, or raise its limit of connections.",
        )
    if status == 454:
        return _lost("session_ended", "The camera ended the session.")
    if status >= 500:
        return _lost(
            "camera_error",
            f"The camera reports an error of its own ({status} to {method}).",
            "Restart the camera if it stays so.",
        )
    return _refused(
        "stream_refused",
        f"The camera refused the stream ({status} to {method}).",
        "Check the address and the camera's stream settings.",
    )


def login_refused() -> SourceError:
    """Credentials were answered with 401."""
    return _login(
        "login_refused",
        "The camera refused the user name or password.",
        "Check both, and that the user may view video.",
    )


def login_wanted() -> SourceError:
    """401, and we have no user name."""
    return _login(
        "login_wanted",
        "The camera asks for a user name and password.",
        "Enter the camera's user name and password.",
    )


def unknown_login() -> SourceError:
    """401 with a scheme we do not know."""
    return _login(
        "login_unknown",
        "The camera asks for a way of signing in that is not known.",
        "Set RTSP authentication to Digest in the camera.",
    )


def not_rtsp(head: bytes, detail: str = "") -> SourceError:
    """What answers speaks something else."""
    if head.startswith(b"HTTP"):
        return _unsupported(
            "not_rtsp", "A web server answers at this address, not an RTSP camera.", _CHECK_ADDRESS
        )
    if head[:2] in (b"\x15\x03", b"\x16\x03"):
        return _unsupported(
            "not_rtsp", "What answers at this address speaks TLS.", "Write the address with rtsps://."
        )
    because = f" ({detail})" if detail else ""
    return _unsupported(
        "not_rtsp",
        f"What answers at this address does not speak RTSP{because}.",
        _CHECK_ADDRESS,
        bool(detail),
    )


def no_video(encodings: list[str]) -> SourceError:
    """Nothing in the description that can be recorded."""
    if encodings:
        return _unsupported(
            "codec_unsupported",
            f"The camera sends video as {encodings[0][:32] or 'an unknown codec'}, which cannot be recorded.",
            _OTHER_STREAM,
        )
    return _unsupported(
        "no_video", "There is no video in this stream.", "Use the address of a video stream.", True
    )


def interleaved_mode() -> SourceError:
    """Pictures out of decoding order on the wire."""
    return _unsupported(
        "interleaved_mode", "The camera sends video in interleaved packet mode.", _OTHER_STREAM, True
    )


def no_tcp() -> SourceError:
    """TCP was chosen by a person, and the camera refuses it."""
    return _unsupported(
        "no_tcp",
        "The camera does not offer RTSP over TCP.",
        "Allow RTP over RTSP (TCP) in the camera, or set this camera's transport to auto or UDP.",
    )


def no_udp() -> SourceError:
    """UDP was chosen by a person, and the camera refuses it."""
    return _unsupported(
        "no_udp",
        "The camera does not offer RTSP over UDP.",
        "Set this camera's transport to auto or TCP.",
    )


def no_transport() -> SourceError:
    """Neither will do."""
    return _unsupported(
        "no_transport",
        "The camera sends this stream neither over TCP nor over UDP to one viewer.",
        "Allow RTP over RTSP (TCP) in the camera.",
        True,
    )


def udp_in_the_clear() -> SourceError:
    """An encrypted address, and media that would not be."""
    return _unsupported(
        "udp_in_the_clear",
        "The address asks for encryption, but over UDP the camera's pictures would travel in the clear.",
        "Set this camera's transport to TCP and allow RTP over RTSP (TCP) in it, or use its rtsp:// address.",
    )


def no_ports(error: OSError) -> SourceError:
    """This machine gave no UDP ports."""
    return _lost(
        "no_udp_ports",
        f"This machine has no free UDP ports for the camera ({_words(error)}).",
        "Set this camera's transport to TCP, or close other programs.",
    )


def not_reached(failure: int, host: str, port: int) -> SourceError:
    """Connecting failed with this errno (0: nothing known)."""
    if failure == errno.ECONNREFUSED:
        return _lost(
            "camera_offline",
            f"Nothing answers at {host} port {port}: the connection was refused.",
            "Check the port (usually 554) and that RTSP is switched on in the camera.",
        )
    next_step = "Check the address, and the camera's power and network."
    if failure == errno.ETIMEDOUT:
        return _lost("camera_offline", f"{host} does not answer.", next_step)
    told = _unreachable if failure in _WAY_IS_BROKEN else _lost
    return told("camera_offline", f"{host} cannot be reached ({os.strerror(failure).lower()}).", next_step)


def broken(error: OSError) -> SourceError:
    """An open connection failed."""
    told = _unreachable if error.errno in _WAY_IS_BROKEN else _lost
    return told("camera_offline", f"The connection to the camera broke ({_words(error)}).", _CHECK_POWER)


def unknown_name(host: str) -> SourceError:
    """No address for a host name."""
    return _unreachable(
        "unknown_name",
        f"The name {host} is not known on this network.",
        "Check the host name, or use the camera's IP address.",
    )


def slow_name(host: str) -> SourceError:
    """No answer from the name service."""
    return _unreachable(
        "unknown_name", f"Looking up the name {host} takes too long.", "Use the camera's IP address."
    )


def no_handshake() -> SourceError:
    """TLS begins and does not end."""
    return _lost("no_tls", "The camera does not finish the TLS handshake.", _CHECK_POWER)


def no_tls(error: OSError) -> SourceError:
    """TLS cannot be had."""
    return _lost(
        "no_tls", f"No TLS connection can be made ({_words(error)}).", "Check the port, or use rtsp://."
    )


def certificate_not_trusted(why: str, fingerprint: str) -> SourceError:
    """Nobody this machine trusts vouches for the certificate, or it is another host's."""
    shown = f" Its SHA-256 is {fingerprint}." if fingerprint else ""
    return SourceError(
        StreamState.REFUSED,
        GapCause.CAMERA_LOST,
        "certificate_not_trusted",
        f"The camera's certificate is not trusted ({why.rstrip('.').lower()}).{shown}",
        f"If the camera itself shows the same, set its certificate to sha256:{fingerprint}."
        if fingerprint
        else "Install its issuer's certificate on this machine, or pin the camera's own.",
    )


def certificate_changed(fingerprint: str) -> SourceError:
    """Not the certificate that was pinned."""
    return SourceError(
        StreamState.REFUSED,
        GapCause.CAMERA_LOST,
        "certificate_changed",
        f"The camera shows another certificate than the pinned one. Its SHA-256 is {fingerprint or 'none'}.",
        "If the camera was reset or got a new certificate, pin that; otherwise someone may be in between.",
    )


def pin_not_checked() -> SourceError:
    """The fallback cannot compare certificates."""
    return _unsupported(
        "pin_not_checked",
        "The client that could talk to this camera cannot compare its certificate with the pinned one.",
        "Install its issuer's certificate on this machine and set the camera's certificate to verify.",
    )


def unencrypted_redirect() -> SourceError:
    """From rtsps to rtsp."""
    return _refused(
        "unencrypted_redirect",
        "The camera sends its viewers from an encrypted address to one that is not, which is not followed.",
        "Switch RTSP over TLS on for this stream in the camera, or use its rtsp:// address.",
    )


def other_host(host: str) -> SourceError:
    """A URL in a reply leads away from the camera."""
    return _refused(
        "other_host",
        f"The camera's answer points to another host ({host[:64]}), which is not followed.",
        "Use that host in the address if it is the right one.",
    )


def redirect_loop() -> SourceError:
    """Sent on and on."""
    return _refused(
        "redirect_loop",
        "The camera sends its viewers from address to address without end.",
        "Check the path of the address.",
    )


def silent(seconds: float) -> SourceError:
    """A request without reply."""
    return SourceError(
        StreamState.STALLED,
        GapCause.CAMERA_STALLED,
        "camera_silent",
        f"What answers at this address accepts the connection but says nothing for {seconds:g} seconds.",
        "Check the port (usually 554); restart the camera if it is right.",
    )


def closed(said_something: bool, playing: bool) -> SourceError:
    """The other side closed the connection."""
    if playing:
        return _lost("camera_closed", "The camera closed the connection.", _CHECK_POWER)
    if said_something:
        return _lost(
            "camera_closed",
            "The camera closed the connection before any picture came.",
            "Restart the camera if it stays so.",
        )
    return _lost("camera_closed", "The connection was closed without an answer.", _CHECK_ADDRESS)


def garbled() -> SourceError:
    """Bytes between frames that are neither media nor messages."""
    return _lost(
        "stream_garbled",
        "What the camera sends cannot be read any more.",
        "Restart the camera if it stays so.",
    )


def _words(error: OSError) -> str:
    if error.errno and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno).lower()
    return (error.reason if isinstance(error, ssl.SSLError) else "") or "protocol error"
