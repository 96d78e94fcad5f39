"""Basic and Digest sign-in as cameras ask for it (RFC 7617, RFC 7616; realm and nonce per connection)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from typing import Literal

Scheme = Literal["basic", "digest", "digest-sha256", "any"]

_REALM = "Virtual camera"
_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^,\s]*))')


class Login:
    """One connection's challenge. ``any`` offers Digest SHA-256, Digest MD5 and Basic."""

    def __init__(self, user: str, password: str, scheme: Scheme) -> None:
        self._user = user
        self._password = password
        self._scheme = scheme
        self._nonce = secrets.token_hex(16)

    def challenges(self) -> list[str]:
        """WWW-Authenticate values, strongest first."""
        base = f'Digest realm="{_REALM}", nonce="{self._nonce}"'
        offers = {
            "digest-sha256": f'{base}, algorithm=SHA-256, qop="auth"',
            "digest": base,
            "basic": f'Basic realm="{_REALM}"',
        }
        return [text for scheme, text in offers.items() if self._scheme in (scheme, "any")]

    def accepts(self, method: str, authorization: str) -> bool:
        """Whether an Authorization header proves the login for this request."""
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() == "basic":
            return self._scheme in ("basic", "any") and self._basic(rest)
        if scheme.lower() == "digest":
            return self._digest(method, {m[1].lower(): m[2] or m[3] for m in _PARAMETER.finditer(rest)})
        return False

    def _basic(self, text: str) -> bool:
        try:
            given = base64.b64decode(text, validate=True)
        except binascii.Error:
            return False
        return hmac.compare_digest(given, f"{self._user}:{self._password}".encode())

    def _digest(self, method: str, given: dict[str, str]) -> bool:
        name = given.get("algorithm", "MD5").upper()
        offered = {"MD5": ("digest", "any"), "SHA-256": ("digest-sha256", "any")}.get(name, ())
        if (
            self._scheme not in offered
            or given.get("username") != self._user
            or given.get("nonce") != self._nonce
        ):
            return False

        def digest(text: str) -> str:
            return hashlib.new(
                "md5" if name == "MD5" else "sha256", text.encode(), usedforsecurity=False
            ).hexdigest()

        secret = digest(f"{self._user}:{_REALM}:{self._password}")
        request = digest(f"{method}:{given.get('uri', '')}")
        middle = self._nonce
        if "qop" in given:
            middle += f":{given.get('nc', '')}:{given.get('cnonce', '')}:{given['qop']}"
        return hmac.compare_digest(digest(f"{secret}:{middle}:{request}"), given.get("response", ""))
