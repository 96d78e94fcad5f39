"""Whether the web role will be able to listen, asked before anything is started."""

from __future__ import annotations

import errno
import socket

from beholden.model.errors import BeholdenError


def check_free(host: str, port: int) -> None:
    """BeholdenError ``port_in_use``, ``port_refused`` or ``bad_host`` when nobody could listen there."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise _bad_host(host) from error
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as listener:
            # As the web server does: connections that end slowly do not hold the port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(address)
                listener.listen(1)
            except OSError as error:
                raise _told_plainly(error, host, port) from error


def _told_plainly(error: OSError, host: str, port: int) -> BeholdenError:
    if error.errno == errno.EADDRINUSE:
        return BeholdenError(
            "port_in_use",
            f"Port {port} on {host} is in use by another program.",
            "Stop that program, or choose another port with --port.",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return BeholdenError(
            "port_refused",
            f"This user may not listen on port {port}.",
            "Choose a port above 1023 with --port, and put a proxy in front for port 80 or 443.",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return _bad_host(host)
    return BeholdenError(
        "port_refused", f"Nobody can listen on {host} port {port}: {error.strerror}.", "Choose another."
    )


def _bad_host(host: str) -> BeholdenError:
    return BeholdenError(
        "bad_host",
        f"{host} is not an address of this machine.",
        "Use --host 127.0.0.1 for this machine alone, or --host 0.0.0.0 for all its networks.",
    )
