"""Under which names this site may be reached, and where a request comes from."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers

HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """``names`` are host names (lower case) that are this site's; IP addresses and localhost always are.

    ``https_host`` is the name under which a proxy in front serves it over TLS, or None.
    """

    names: frozenset[str]
    https_host: str | None = None

    @classmethod
    def of(cls, public_url: str | None = None) -> PublicAddress:
        """The machine's own names, and that of ``public_url``."""
        own = socket.gethostname().lower()
        names = {own, f"{own.partition('.')[0]}.local"}
        parts = urlsplit(public_url or "")
        host = (parts.hostname or "").lower()
        if host:
            names.add(host)
        return cls(frozenset(names), host if host and parts.scheme == "https" else None)

    def is_ours(self, host_header: str) -> bool:
        """Whether a Host header names this site.

        Without this check a page of any domain that is made to resolve to this machine (DNS rebinding)
        would be the same origin as the site.
        """
        name = host_name(host_header)
        if name is None:
            return False
        return is_address(name) or name == "localhost" or name.endswith(".localhost") or name in self.names

    def is_secure(self, scope: Mapping[str, Any]) -> bool:
        """Whether the browser speaks TLS, to us or to the proxy named in ``public_url``."""
        if scope.get("scheme") in ("https", "wss"):
            return True
        host = host_name(Headers(scope=dict(scope)).get("host", ""))
        return self.https_host is not None and host == self.https_host


def host_name(host_header: str) -> str | None:
    """The name in a Host header, lower case, without port or brackets; None when it is not one."""
    if any(sign in host_header for sign in "/\\@?# \t") or not host_header:
        return None
    try:
        parts = urlsplit(f"//{host_header}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname


def is_address(name: str) -> bool:
    """Whether it is an IPv4 or IPv6 literal."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def same_origin(origin: str, host_header: str) -> bool:
    """Whether an Origin header is of the same host and port as the Host header.

    Schemes are not compared: behind a TLS proxy the page is https and this hop is http.
    """
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and _plain(parts.netloc) == _plain(host_header) != ""


def client_ip(scope: Mapping[str, Any]) -> str:
    """The address of the other end of the connection, as the server saw it; no header can change it."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _plain(netloc: str) -> str:
    text = netloc.lower()
    for port in (":80", ":443"):
        text = text.removesuffix(port)
    return text
