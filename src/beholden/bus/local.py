"""The bus over Unix sockets: everything a room needs, by one name."""

from __future__ import annotations

from beholden.bus.aio import AsyncBusClient
from beholden.bus.client import Bus, BusClient
from beholden.bus.messages import BusError, JsonMessage, Message, UnitMessage
from beholden.bus.paths import run_dir, socket_path
from beholden.bus.server import BusServer, Connection, Loop
from beholden.bus.threaded import SelectorLoop, ThreadedBusServer

__all__ = [
    "AsyncBusClient",
    "Bus",
    "BusClient",
    "BusError",
    "BusServer",
    "Connection",
    "JsonMessage",
    "Loop",
    "Message",
    "SelectorLoop",
    "ThreadedBusServer",
    "UnitMessage",
    "run_dir",
    "socket_path",
]
