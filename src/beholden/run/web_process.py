"""The web role with the settings of this node. Loaded in its own process only."""

from __future__ import annotations

import threading
from collections.abc import Callable

from beholden.run.settings import Settings
from beholden.web.role import WebOptions, serve


def run(settings: Settings, heartbeat: Callable[[], None], stop: threading.Event) -> None:
    """Serve until ``stop`` is set; raises as ``beholden.web.role.serve``."""
    options = WebOptions(
        host=settings.host,
        port=settings.port,
        public_url=settings.public_url,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
    )
    serve(settings.data.absolute(), options, heartbeat, stop)
