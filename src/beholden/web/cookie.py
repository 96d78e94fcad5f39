"""The session cookie."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

# The __Host- prefix binds a cookie to this very host over TLS; browsers refuse it on plain http, where
# loopback and LAN installations begin.
SECURE_NAME = "__Host-sid"
PLAIN_NAME = "sid"


def read_token(scope: Scope, secure: bool) -> str | None:
    """The session token a request carries. Over TLS only the bound cookie counts."""
    name = SECURE_NAME if secure else PLAIN_NAME
    for header in Headers(scope=scope).getlist("cookie"):
        try:
            found = SimpleCookie(header).get(name)
        except CookieError:
            continue
        if found is not None:
            return str(found.value)
    return None


def set_token(response: Response, token: str, secure: bool, max_age: int) -> None:
    """Give the browser a new session's token; no script can read it."""
    response.set_cookie(
        SECURE_NAME if secure else PLAIN_NAME,
        token,
        max_age=max_age,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def clear_token(response: Response, secure: bool) -> None:
    """Take it back."""
    name = SECURE_NAME if secure else PLAIN_NAME
    response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="lax")
