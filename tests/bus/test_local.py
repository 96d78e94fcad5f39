"""The bus over real sockets: requests, streams, drops, and every way for the other side to be wrong."""

from __future__ import annotations

import asyncio
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beholden.bus.aio import AsyncBusClient
from beholden.bus.client import BusClient
from beholden.bus.fake import FakeAsyncBus, FakeBus
from beholden.bus.messages import BusError, JsonMessage, UnitMessage, encode_unit
from beholden.bus.paths import run_dir, socket_path
from beholden.bus.server import BusServer, Connection
from beholden.bus.threaded import SelectorLoop, ThreadedBusServer
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.media import AccessUnit, Track

STREAM = (1, StreamRole.SUB)


class Host:
    """A BusServer in a loop in a thread, echoing requests."""

    def __init__(self, path: Path, queue_bytes: int = 200_000) -> None:
        self.loop = SelectorLoop()
        self.requests: list[dict[str, Any]] = []
        self.server = BusServer(path, self.loop, self.on_request, queue_bytes=queue_bytes)
        self.thread = threading.Thread(target=self.loop.run)
        self.thread.start()

    def on_request(self, connection: Connection, body: dict[str, Any]) -> None:
        self.requests.append(body)
        if body["op"] == "fail":
            raise BeholdenError("no_such_stream", "There is no such stream.", "Look again.")
        if body["op"] == "stats":
            connection.send_json({"kind": "stats", "n": body.get("n")})

    def call(self, fn: Callable[[Connection], object]) -> None:
        """Run with the only connection, in the loop's thread, and wait."""
        done = threading.Event()

        def run() -> None:
            for connection in self.server.connections:
                fn(connection)
            done.set()

        self.loop.call_soon(run)
        assert done.wait(10)

    def send(self, unit: AccessUnit) -> None:
        frame = encode_unit(*STREAM, unit)
        self.call(lambda connection: connection.send_unit(STREAM, unit.track, unit.key, frame))

    def close(self) -> None:
        if self.thread.is_alive():
            self.loop.call_soon(self.server.close)
            self.loop.call_soon(self.loop.stop)
            self.thread.join()
            self.loop.close()


def picture(number: int, key: bool, size: int = 1000) -> AccessUnit:
    """A picture whose pts is its number."""
    return AccessUnit(Track.VIDEO, number, key, (bytes(size),), size, 0)


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for something, generously."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A serving host."""
    host = Host(tmp_path / "recorder-0.sock")
    yield host
    host.close()


def test_a_request_is_answered(host: Host) -> None:
    """The answer belongs to the request, and the socket file is private."""
    with BusClient(host.server.path) as client:
        assert client.request({"op": "stats", "n": 1}) == {"kind": "stats", "n": 1}
    assert stat.S_IMODE(host.server.path.stat().st_mode) == 0o600


def test_an_error_answer_is_raised_with_its_code(host: Host) -> None:
    """A refusal arrives as the same plain words."""
    with BusClient(host.server.path) as client, pytest.raises(BusError, match="no such stream") as caught:
        client.request({"op": "fail"})
    assert caught.value.code == "no_such_stream"
    assert caught.value.next_step == "Look again."


def test_units_arrive_in_order_and_around_answers(host: Host) -> None:
    """Units that come while a request waits are kept, in order."""
    with BusClient(host.server.path) as client:
        client.request({"op": "stats"})
        for number in range(5):
            host.send(picture(number, number == 0))
        assert client.request({"op": "stats", "n": 2})["n"] == 2
        host.send(picture(5, False))
        numbers = []
        for message in client.messages(5.0):
            assert isinstance(message, UnitMessage)
            numbers.append(message.unit.pts)
            if len(numbers) == 6:
                break
        assert numbers == list(range(6))


def test_a_client_that_does_not_read_loses_whole_gops_and_is_told(host: Host) -> None:
    """After an overflow the next unit is a keyframe and the number of lost pictures is exact."""
    with BusClient(host.server.path) as client:
        client.request({"op": "stats"})
        total = 3000
        for number in range(total):
            host.send(picture(number, number % 50 == 0))
        host.send(picture(total, True))
        received, dropped, after_drop = 0, 0, False
        for message in client.messages(5.0):
            if isinstance(message, JsonMessage):
                assert message.kind == "dropped"
                dropped += message.body["pictures"]
                after_drop = True
            else:
                assert message.unit.key or not after_drop
                after_drop = False
                received += 1
                if message.unit.pts == total:
                    break
        assert dropped > 0
        assert received + dropped == total + 1


def test_memory_stays_bounded_for_a_client_that_does_not_read(host: Host) -> None:
    """What waits for one client never exceeds its limit by more than one frame."""
    with BusClient(host.server.path) as client:
        client.request({"op": "stats"})
        seen: list[int] = []
        for number in range(2000):
            host.send(picture(number, True))
            host.call(lambda connection: seen.append(connection.queued_bytes))
        assert max(seen) <= 200_000 + 2000


def test_audio_is_dropped_with_its_pictures(host: Host) -> None:
    """After an overflow no audio comes before the keyframe."""
    sound = AccessUnit(Track.AUDIO, 7, True, (b"aa",), 2, 0)
    with BusClient(host.server.path) as client:
        client.request({"op": "stats"})
        for number in range(1000):
            host.send(picture(number, number == 0))
        host.send(sound)
        host.send(picture(1000, True))
        after_drop: list[UnitMessage] = []
        dropped = False
        for message in client.messages(5.0):
            if isinstance(message, JsonMessage):
                dropped = True
            elif dropped:
                after_drop.append(message)
                break
        assert after_drop[0].unit.pts == 1000


def test_garbage_disconnects_only_its_sender(host: Host) -> None:
    """A client that speaks nonsense is cut off; the others stay."""
    with BusClient(host.server.path) as good:
        bad = socket.socket(socket.AF_UNIX)
        bad.connect(str(host.server.path))
        bad.sendall(struct.pack(">IB", 0xFFFFFFFF, 1))
        bad.settimeout(20)
        assert bad.recv(10) == b""
        bad.close()
        assert good.request({"op": "stats", "n": 3})["n"] == 3


def test_a_dead_server_is_a_typed_error(host: Host) -> None:
    """Closing the server ends iteration with BusError, never with a hang."""
    with BusClient(host.server.path) as client:
        client.request({"op": "stats"})
        host.close()
        with pytest.raises(BusError) as caught:
            list(client.messages(20))
        assert caught.value.code == "bus_closed"
    with pytest.raises(BusError) as caught:
        BusClient(host.server.path)
    assert caught.value.code == "bus_unreachable"


def test_silence_is_a_timeout(host: Host) -> None:
    """A request that is never answered ends."""
    with BusClient(host.server.path) as client:
        with pytest.raises(BusError) as caught:
            client.request({"op": "nothing"}, timeout=0.05)
        assert caught.value.code == "bus_timeout"
        assert list(client.messages(0.01)) == []


def test_a_stale_socket_is_replaced_and_a_served_one_is_not(host: Host, tmp_path: Path) -> None:
    """After a crash the file lies there; a second server on a living one is refused."""
    stale = tmp_path / "stale.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(stale))
    left.close()
    second = Host(stale)
    second.close()
    assert not stale.exists()
    with pytest.raises(BusError) as caught:
        Host(host.server.path)
    assert caught.value.code == "bus_refused"


async def test_async_client(host: Host) -> None:
    """Answers and units run side by side; the end is a BusError."""
    async with AsyncBusClient(host.server.path) as client:
        assert (await client.request({"op": "stats", "n": 4}))["n"] == 4
        with pytest.raises(BusError, match="no such stream"):
            await client.request({"op": "fail"})
        with pytest.raises(BusError) as caught:
            await client.request({"op": "nothing"}, timeout=0.05)
        assert caught.value.code == "bus_timeout"
        await client.subscribe(1, StreamRole.SUB, fast=True)
        await client.request({"op": "stats"})
        assert host.requests[-2] == {"op": "subscribe", "camera": 1, "stream": "sub", "fast": True}
        await asyncio.to_thread(lambda: [host.send(picture(n, n == 0)) for n in range(100)])
        numbers = []
        async for message in client:
            assert isinstance(message, UnitMessage)
            numbers.append(message.unit.pts)
            if len(numbers) == 100:
                break
        assert numbers == list(range(100))
        await asyncio.to_thread(host.close)
        with pytest.raises(BusError) as caught:
            await anext(client)
        assert caught.value.code == "bus_closed"
        with pytest.raises(BusError):
            await client.request({"op": "stats"})


async def test_async_client_closed_elsewhere_ends_iteration(host: Host) -> None:
    """A task that waits for messages is released when another closes the client."""
    client = await AsyncBusClient(host.server.path).connect()
    waiting = asyncio.create_task(anext(client))
    await asyncio.sleep(0.01)
    await client.close()
    with pytest.raises(BusError):
        await asyncio.wait_for(waiting, 20)


async def test_async_client_without_a_server(tmp_path: Path) -> None:
    """Nobody there is bus_unreachable."""
    with pytest.raises(BusError) as caught:
        await AsyncBusClient(tmp_path / "no.sock").connect()
    assert caught.value.code == "bus_unreachable"


def test_threaded_server_answers_and_publishes(tmp_path: Path) -> None:
    """Requests are answered from its thread, news reach those who asked, from any thread."""
    server = ThreadedBusServer(tmp_path / "a.sock", lambda body: {"kind": body["op"], "ok": True})
    try:
        with BusClient(server.path) as listener, BusClient(server.path) as other:
            listener.send({"op": "events"})
            assert listener.request({"op": "stats"})["ok"]
            server.publish({"kind": "event", "phase": "start"})
            assert other.request({"op": "stats"})["ok"]
            message = listener.receive(20)
            assert isinstance(message, JsonMessage)
            assert message.body["phase"] == "start"
            assert other.receive(0.01) is None
    finally:
        server.close()
        server.close()
    assert not (tmp_path / "a.sock").exists()


def test_run_dir_is_private_and_short(tmp_path: Path) -> None:
    """A long data path falls back to a private temporary directory, the same one each time."""
    near = run_dir(tmp_path)
    assert stat.S_IMODE(near.stat().st_mode) == 0o700
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    far = run_dir(deep)
    try:
        assert far == run_dir(deep)
        assert far != deep / "run"
        assert stat.S_IMODE(far.stat().st_mode) == 0o700
        assert len(str(socket_path(deep, "recorder-0"))) <= 100
    finally:
        far.rmdir()


def test_run_dir_refuses_a_link(tmp_path: Path) -> None:
    """Somebody else's directory behind a link is not used."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BusError):
        run_dir(tmp_path)


async def test_fakes_speak_like_the_real_ones() -> None:
    """Pushed messages come out, answers are found, hanging up raises."""
    bus = FakeBus({"stats": {"kind": "stats", "streams": []}})
    bus.subscribe(1, StreamRole.MAIN)
    bus.push_unit(1, StreamRole.MAIN, picture(1, True))
    assert bus.request({"op": "stats"})["streams"] == []
    assert len(list(bus.messages(0.01))) == 1
    with pytest.raises(BusError):
        bus.request({"op": "other"})
    bus.push_json({"kind": "dropped"})
    bus.hang_up()
    fake = FakeAsyncBus(bus)
    assert isinstance(await anext(fake), JsonMessage)
    with pytest.raises(BusError):
        await anext(fake)
    with pytest.raises(BusError):
        bus.send({"op": "stats"})
