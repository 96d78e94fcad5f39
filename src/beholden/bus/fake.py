"""A bus without sockets, for tests of those who listen."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from beholden.bus.messages import BusError, JsonMessage, Message, UnitMessage, describe_format
from beholden.model.camera import StreamRole
from beholden.model.media import AccessUnit, StreamFormat


class FakeBus:
    """In-memory ``Bus``. Put in what a recorder would send with ``push*``; see what was asked in ``sent``.

    ``answers`` maps an ``op`` to its answer or to a function of the request. ``hang_up`` makes every
    later call raise BusError, as when the other side has died.
    """

    def __init__(
        self, answers: Mapping[str, Mapping[str, Any] | Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {}
    ) -> None:
        self.answers = dict(answers)
        self.sent: list[dict[str, Any]] = []
        self.subscribed: set[tuple[int, StreamRole]] = set()
        self.closed = False
        self._messages: queue.Queue[Message | BusError] = queue.Queue()
        self._gone = False

    def push(self, message: Message) -> None:
        """Deliver a message."""
        self._messages.put(message)

    def push_json(self, body: Mapping[str, Any]) -> None:
        """Deliver news."""
        self.push(JsonMessage(dict(body)))

    def push_format(self, camera: int, stream: StreamRole, stream_format: StreamFormat) -> None:
        """Deliver the ``format`` news of a stream."""
        self.push_json(describe_format(camera, stream, stream_format))

    def push_unit(self, camera: int, stream: StreamRole, unit: AccessUnit) -> None:
        """Deliver an access unit."""
        self.push(UnitMessage(camera, stream, unit))

    def hang_up(self) -> None:
        """The other side dies after what was pushed so far."""
        self._gone = True
        self._messages.put(_gone())

    def request(self, body: Mapping[str, Any], timeout: float = 5.0) -> dict[str, Any]:
        """The answer prepared for this ``op``; ``bus_timeout`` when none is."""
        self.send(body)
        answer = self.answers.get(str(body.get("op")))
        if answer is None:
            raise BusError("bus_timeout", f"No answer came within {timeout:g} s.")
        return dict(answer(body) if callable(answer) else answer)

    def send(self, body: Mapping[str, Any]) -> None:
        """Note a request."""
        if self._gone:
            raise _gone()
        self.sent.append(dict(body))

    def subscribe(self, camera: int, stream: StreamRole, *, fast: bool = False) -> None:
        """Note a subscription."""
        self.send({"op": "subscribe", "camera": camera, "stream": stream.name.lower(), "fast": fast})
        self.subscribed.add((camera, stream))

    def unsubscribe(self, camera: int, stream: StreamRole) -> None:
        """Note its end."""
        self.send({"op": "unsubscribe", "camera": camera, "stream": stream.name.lower()})
        self.subscribed.discard((camera, stream))

    def receive(self, timeout: float) -> Message | None:
        """The next pushed message, or None when none came in time."""
        try:
            item = self._messages.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(item, BusError):
            raise item
        return item

    def messages(self, timeout: float) -> Iterator[Message]:
        """Pushed messages until none came for ``timeout`` seconds."""
        while (message := self.receive(timeout)) is not None:
            yield message

    def close(self) -> None:
        """Note the end."""
        self.closed = True


class FakeAsyncBus:
    """The same for asyncio, with the methods of ``AsyncBusClient``."""

    def __init__(self, inner: FakeBus | None = None) -> None:
        self.inner = inner or FakeBus()

    async def connect(self, timeout: float = 5.0) -> Self:  # noqa: ASYNC109, ARG002
        """Always succeeds."""
        return self

    async def request(
        self,
        body: Mapping[str, Any],
        timeout: float = 5.0,  # noqa: ASYNC109
    ) -> dict[str, Any]:
        """As FakeBus."""
        return self.inner.request(body, timeout)

    async def send(self, body: Mapping[str, Any]) -> None:
        """As FakeBus."""
        self.inner.send(body)

    async def subscribe(self, camera: int, stream: StreamRole, *, fast: bool = False) -> None:
        """As FakeBus."""
        self.inner.subscribe(camera, stream, fast=fast)

    async def unsubscribe(self, camera: int, stream: StreamRole) -> None:
        """As FakeBus."""
        self.inner.unsubscribe(camera, stream)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        while True:
            message = self.inner.receive(0.001)
            if message is not None:
                return message
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        """As FakeBus."""
        self.inner.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _gone() -> BusError:
    return BusError("bus_closed", "The connection ended.")
