"""TLS to a camera: what its certificate must be, chosen per camera, and how to tell which one it has."""

from __future__ import annotations

import functools
import hashlib
import ssl

from beholden.ingest import refusal

PINNED = "sha256:"
_READ_AUTHORITIES_EVERY = 60.0  # one that a person adds to this machine counts without a restart


def context_of(certificate: str, now: float) -> ssl.SSLContext:
    """The context for one of ``model.camera.CERTIFICATE``. ``now`` is monotonic seconds."""
    return _verifying(int(now // _READ_AUTHORITIES_EVERY)) if certificate == "verify" else looking()


@functools.lru_cache(maxsize=1)
def looking() -> ssl.SSLContext:
    """Takes any certificate: for ``any``, for pinned ones (compared afterwards), and to see which it is.

    Cameras come with short keys and old signatures; a fingerprint a person compared is worth more than those.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


@functools.lru_cache(maxsize=1)
def _verifying(_period: int) -> ssl.SSLContext:
    # Reading all authorities takes long enough to matter when 64 cameras connect at once.
    return ssl.create_default_context()


def fingerprint(connection: ssl.SSLSocket) -> str:
    """SHA-256 of the camera's certificate, 64 hexadecimal digits; empty when it showed none."""
    shown = connection.getpeercert(binary_form=True)
    return hashlib.sha256(shown).hexdigest() if shown else ""


def check(connection: ssl.SSLSocket, certificate: str) -> None:
    """After the handshake: a pinned certificate must be this one. Raises SourceError
    ``certificate_changed``."""
    if certificate.startswith(PINNED):
        shown = fingerprint(connection)
        if shown != certificate.removeprefix(PINNED).lower():
            raise refusal.certificate_changed(shown)
