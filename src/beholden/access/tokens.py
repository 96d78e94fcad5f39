"""Unguessable tokens. The catalog keeps only their hash."""

from __future__ import annotations

import hashlib
import secrets

_BYTES = 32


def new_token() -> str:
    """256 random bits as URL-safe text."""
    return secrets.token_urlsafe(_BYTES)


def token_hash(token: str) -> bytes:
    """SHA-256 of a token. A fast hash is enough: 256 random bits cannot be tried out."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
