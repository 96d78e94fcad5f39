"""Worker processes for decoding and encoding: bounded in number, in time and in what may wait.

The web role must answer while video is converted, and a decoder that hangs or crashes on a damaged recording
must not take it down: so such work is done in processes of its own, killed when they take too long.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Protocol, TypeVar

import structlog

from beholden.model.errors import BeholdenError

log = structlog.get_logger()
T = TypeVar("T")
_CONTEXT = multiprocessing.get_context("spawn")  # never fork a process that has threads


class Workshop(Protocol):
    """Does heavy work elsewhere."""

    async def run(self, task: Callable[..., T], *arguments: object, seconds: float = 20.0) -> T:
        """``task(*arguments)``, a module-level function of picklable values.

        BeholdenError ``busy`` when too much waits, ``took_too_long`` after ``seconds`` of work,
        ``not_decodable`` when the process died, and whatever BeholdenError or ValueError the task raised.
        """
        ...

    async def close(self) -> None:
        """End the processes."""
        ...


class InlineWorkshop:
    """Does the work at once in this process, for tests."""

    def __init__(self) -> None:
        self.tasks: list[str] = []

    async def run(self, task: Callable[..., T], *arguments: object, seconds: float = 20.0) -> T:
        """Call it, however long it takes."""
        assert seconds > 0
        self.tasks.append(task.__name__)
        return task(*arguments)

    async def close(self) -> None:
        """Nothing to end."""


class ProcessWorkshop:
    """Up to ``workers`` processes, started when first needed; up to ``waiting`` tasks wait for one.

    A task whose caller is cancelled while it waits is never begun; one under way is finished and its result
    dropped, so cancelled requests cost at most ``workers`` tasks.
    """

    def __init__(self, workers: int = 1, waiting: int = 24) -> None:
        self._idle: list[_Worker] = []
        self._all: list[_Worker] = []
        self._free = asyncio.Semaphore(workers)
        self._room = workers + waiting
        self._taken = 0
        self._closed = False

    async def run(self, task: Callable[..., T], *arguments: object, seconds: float = 20.0) -> T:
        """See Workshop."""
        if self._taken >= self._room or self._closed:
            raise BeholdenError("busy", "Too much video is being converted right now.", "Try again shortly.")
        self._taken += 1
        try:
            await self._free.acquire()
        except asyncio.CancelledError:
            self._taken -= 1
            raise
        work = asyncio.ensure_future(asyncio.to_thread(self._work, task, arguments, seconds))
        work.add_done_callback(self._done)
        result: T = await asyncio.shield(work)
        return result

    async def close(self) -> None:
        """See Workshop."""
        self._closed = True
        for worker in self._all:
            await asyncio.to_thread(worker.stop)

    def _done(self, work: asyncio.Future[Any]) -> None:
        self._taken -= 1
        self._free.release()
        if not work.cancelled():
            work.exception()  # seen here too, for a caller that went away

    def _work(self, task: Callable[..., Any], arguments: tuple[object, ...], seconds: float) -> Any:
        worker = self._idle.pop() if self._idle else self._start()
        try:
            return worker.call(task, arguments, seconds)
        finally:
            if worker.alive:
                self._idle.append(worker)
            else:
                self._all.remove(worker)

    def _start(self) -> _Worker:
        worker = _Worker()
        self._all.append(worker)
        return worker


def run_once(task: Callable[..., T], *arguments: object, seconds: float = 20.0) -> T:
    """One task in a process of its own, from synchronous code; errors as Workshop."""
    worker = _Worker()
    try:
        result: T = worker.call(task, arguments, seconds)
        return result
    finally:
        worker.stop()


class _Worker:
    def __init__(self) -> None:
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process: SpawnProcess = _CONTEXT.Process(
            target=_serve, args=(theirs,), name="beholden worker", daemon=True
        )
        self._process.start()
        theirs.close()
        self.alive = True

    def call(self, task: Callable[..., Any], arguments: tuple[object, ...], seconds: float) -> Any:
        try:
            self._pipe.send((task, arguments))
            # The first call also waits for the process to start.
            if not self._pipe.poll(seconds):
                self.stop()
                raise BeholdenError(
                    "took_too_long", "Converting this footage took too long.", "Try again, or download it."
                )
            good, value = self._pipe.recv()
        except (EOFError, OSError) as error:
            self.stop()
            log.warning("a worker died", task=task.__name__)
            raise BeholdenError(
                "not_decodable",
                "This footage cannot be decoded: the decoder failed on it.",
                "Download it instead.",
            ) from error
        if good:
            return value
        raise value

    def stop(self) -> None:
        self.alive = False
        self._pipe.close()
        self._process.kill()
        self._process.join(5)


def _serve(pipe: Connection) -> None:
    """The life of a worker: a task, its answer, until the other side closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal goes to the whole group
    with contextlib.suppress(EOFError, OSError):
        while True:
            task, arguments = pipe.recv()
            try:
                answer = (True, task(*arguments))
            except BeholdenError as error:
                answer = (False, _Told(error.code, error.message, error.next_step))
            except ValueError as error:
                answer = (False, ValueError(str(error)))
            pipe.send(answer)


class _Told(BeholdenError):
    """A BeholdenError that travels between processes (an exception is rebuilt from its ``args``)."""

    def __reduce__(self) -> tuple[type[BeholdenError], tuple[str, str, str]]:
        return BeholdenError, (self.code, self.message, self.next_step)
