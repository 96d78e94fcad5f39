"""HTTP authentication as RTSP uses it: Basic (RFC 7617) and Digest (RFC 2617, RFC 7616)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_PAIR = re.compile(r'([a-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))', re.ASCII | re.IGNORECASE)
_HASHES = {"MD5": "md5", "SHA-256": "sha256"}


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the camera asks for, from one WWW-Authenticate header."""

    scheme: str
    realm: str = ""
    nonce: str = ""
    opaque: str | None = None
    algorithm: str = "MD5"
    qop_auth: bool = False
    stale: bool = False


def choose_challenge(headers: Sequence[str]) -> Challenge | None:
    """The strongest challenge we can answer: Digest SHA-256, then Digest MD5, then Basic; else None."""
    challenges = [challenge for header in headers if (challenge := _parse(header)) is not None]
    order = {"SHA-256": 0, "MD5": 1, "": 2}
    return min(
        challenges, key=lambda each: order[each.algorithm if each.scheme == "digest" else ""], default=None
    )


class Credentials:
    """Answers challenges for one user. The password never shows in its repr."""

    def __init__(self, username: str, password: str, make_nonce: Callable[[], str] | None = None) -> None:
        self._username = username
        self._password = password
        self._make_nonce = make_nonce or (lambda: secrets.token_hex(8))
        self._challenge: Challenge | None = None
        self._uses = 0

    def __repr__(self) -> str:
        return f"Credentials({self._username!r}, ***)"

    @property
    def known(self) -> bool:
        """Whether there is a user name to answer with."""
        return bool(self._username)

    @property
    def challenge(self) -> Challenge | None:
        """The challenge answered at present."""
        return self._challenge

    def accept(self, challenge: Challenge) -> None:
        """Answer this challenge from now on."""
        self._challenge = challenge
        self._uses = 0

    def header(self, method: str, uri: str) -> str | None:
        """The value of the Authorization header for a request; None while nothing was asked."""
        challenge = self._challenge
        if challenge is None:
            return None
        if challenge.scheme == "basic":
            pair = f"{self._username}:{self._password}".encode()
            return "Basic " + base64.b64encode(pair).decode("ascii")
        return self._digest(challenge, method, uri)

    def _digest(self, challenge: Challenge, method: str, uri: str) -> str:
        def digest(text: str) -> str:
            return hashlib.new(_HASHES[challenge.algorithm], text.encode(), usedforsecurity=False).hexdigest()

        self._uses += 1
        secret = digest(f"{self._username}:{challenge.realm}:{self._password}")
        subject = digest(f"{method}:{uri}")
        fields = [
            f'username="{_quoted(self._username)}"',
            f'realm="{_quoted(challenge.realm)}"',
            f'nonce="{_quoted(challenge.nonce)}"',
            f'uri="{_quoted(uri)}"',
        ]
        if challenge.qop_auth:
            count, own = f"{self._uses:08x}", self._make_nonce()
            response = digest(f"{secret}:{challenge.nonce}:{count}:{own}:auth:{subject}")
            fields += ["qop=auth", f"nc={count}", f'cnonce="{own}"']
        else:
            response = digest(f"{secret}:{challenge.nonce}:{subject}")
        fields.append(f'response="{response}"')
        if challenge.algorithm != "MD5":
            fields.append(f"algorithm={challenge.algorithm}")
        if challenge.opaque is not None:
            fields.append(f'opaque="{_quoted(challenge.opaque)}"')
        return "Digest " + ", ".join(fields)


def _parse(header: str) -> Challenge | None:
    scheme, _, rest = header.strip().partition(" ")
    pairs = {name.lower(): _unquoted(quoted) or bare for name, quoted, bare in _PAIR.findall(rest[:8192])}
    if scheme.lower() == "basic":
        return Challenge("basic", pairs.get("realm", ""))
    if scheme.lower() != "digest" or "nonce" not in pairs:
        return None
    algorithm = pairs.get("algorithm", "").upper() or "MD5"
    qops = [word.strip().lower() for word in pairs.get("qop", "").split(",") if word.strip()]
    if algorithm not in _HASHES or (qops and "auth" not in qops):
        return None
    return Challenge(
        "digest",
        pairs.get("realm", ""),
        pairs["nonce"],
        pairs.get("opaque"),
        algorithm,
        "auth" in qops,
        pairs.get("stale", "").lower() == "true",
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "").replace("\n", "")


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
