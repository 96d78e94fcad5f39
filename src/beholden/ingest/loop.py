"""The recorder's one thread: all streams drained on a tick, those being watched read as data arrives.

Waking once per packet costs more than reading it (see ``docs/decisions/0001-own-rtsp-client.md``); so sockets
fill in the kernel and are emptied together, 10 times a second.
"""

from __future__ import annotations

import contextlib
import os
import selectors
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from beholden.model.time import Clock

_log = structlog.get_logger()


class Pollable(Protocol):
    """What the loop drives: a StreamSession, or anything shaped like one."""

    @property
    def eager(self) -> bool: ...
    def poll(self, now: float) -> None: ...
    def fileno(self) -> int | None: ...
    def wants_write(self) -> bool: ...
    def fail(self, now: float) -> None: ...


@dataclass(slots=True)
class _Timer:
    seconds: float
    call: Callable[[], None]
    due: float


class IngestLoop:
    """Everything but ``wake`` and ``stop`` is for the loop's own thread (or before ``run``)."""

    def __init__(self, clock: Clock, tick: float = 0.1) -> None:
        self._clock = clock
        self._tick = tick
        self._selector = selectors.DefaultSelector()
        self._sessions: list[Pollable] = []
        self._watched: dict[Pollable, tuple[int, int]] = {}
        self._callbacks: dict[int, dict[int, Callable[[], None]]] = {}
        self._timers: list[_Timer] = []
        self._running = False
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._drain_wakes)
        self.on_wake: Callable[[], None] | None = None

    def add(self, session: Pollable) -> None:
        """Drive this session from now on."""
        self._sessions.append(session)

    def remove(self, session: Pollable) -> None:
        """Stop driving it. The caller closes it afterwards."""
        self._sessions.remove(session)
        self._unwatch(session)

    def add_reader(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Call back whenever the descriptor is readable."""
        self._callbacks.setdefault(descriptor, {})[selectors.EVENT_READ] = callback
        self._update(descriptor)

    def remove_reader(self, descriptor: int) -> None:
        """Undo ``add_reader``; must come before the descriptor is closed."""
        self._callbacks.get(descriptor, {}).pop(selectors.EVENT_READ, None)
        self._update(descriptor)

    def add_writer(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Call back whenever the descriptor is writable."""
        self._callbacks.setdefault(descriptor, {})[selectors.EVENT_WRITE] = callback
        self._update(descriptor)

    def remove_writer(self, descriptor: int) -> None:
        """Undo ``add_writer``; must come before the descriptor is closed."""
        self._callbacks.get(descriptor, {}).pop(selectors.EVENT_WRITE, None)
        self._update(descriptor)

    def call_every(self, seconds: float, call: Callable[[], None]) -> None:
        """Call it every so many seconds, first after that time. A late call is not made up for."""
        self._timers.append(_Timer(seconds, call, self._clock.monotonic() + seconds))

    def wake(self) -> None:
        """Make the loop go round now and call ``on_wake``. From any thread or signal handler."""
        try:
            os.write(self._wake_write, b"\0")
        except (BlockingIOError, OSError):
            return  # it is awake, or gone

    def stop(self) -> None:
        """Make ``run`` return after the present round. From any thread or signal handler."""
        self._stopping = True
        self.wake()

    def run(self) -> None:
        """Go round until ``stop``."""
        self._running = True
        next_tick = self._clock.monotonic()
        while not self._stopping:
            now = self._clock.monotonic()
            if now >= next_tick:
                self._poll_all(now)
                self._run_timers(now)
                next_tick = max(next_tick + self._tick, self._clock.monotonic())
            wait = max(0.0, next_tick - self._clock.monotonic())
            for key, events in self._selector.select(wait):
                self._dispatch(key, events)
        self._running = False

    def close(self) -> None:
        """Release the loop's own descriptors, after ``run`` returned."""
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _poll_all(self, now: float) -> None:
        for session in tuple(self._sessions):
            self._poll(session, now)

    def _poll(self, session: Pollable, now: float) -> None:
        # A fault of ours in one stream must not cost the others their footage, so it is
        # caught whatever it is, logged with its traceback, and the stream begins anew.
        try:
            session.poll(now)
        except Exception:  # noqa: BLE001 (see above)
            _log.exception("stream_fault")
            session.fail(now)
        if session.eager or session in self._watched:
            self._watch(session)

    def _watch(self, session: Pollable) -> None:
        descriptor = session.fileno() if session.eager else None
        if descriptor is None or descriptor < 0:
            self._unwatch(session)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if session.wants_write() else 0)
        if self._watched.get(session) == (descriptor, events):
            return
        self._unwatch(session)
        try:
            self._selector.register(descriptor, events, session)
        except (KeyError, OSError):
            return  # the tick reads it all the same
        self._watched[session] = (descriptor, events)

    def _unwatch(self, session: Pollable) -> None:
        watched = self._watched.pop(session, None)
        if watched is not None:
            self._forget(watched[0], session)

    def _forget(self, descriptor: int, owner: object) -> None:
        # The number may by now belong to another file: unregister only what is still ours.
        key = self._selector.get_map().get(descriptor)
        if key is not None and key.data is owner:
            self._selector.unregister(descriptor)

    def _update(self, descriptor: int) -> None:
        callbacks = self._callbacks.get(descriptor, {})
        events = sum(callbacks)
        registered = self._selector.get_map().get(descriptor)
        if not events:
            self._callbacks.pop(descriptor, None)
            if registered is not None:
                self._selector.unregister(descriptor)
        elif registered is not None:
            self._selector.modify(descriptor, events, None)
        else:
            self._selector.register(descriptor, events, None)

    def _dispatch(self, key: selectors.SelectorKey, events: int) -> None:
        if key.data is None:
            for event in (selectors.EVENT_READ, selectors.EVENT_WRITE):
                callback = self._callbacks.get(key.fd, {}).get(event) if events & event else None
                if callback is not None:
                    callback()
        elif key.data == self._drain_wakes:
            self._drain_wakes()
        elif key.data in self._watched:
            self._poll(key.data, self._clock.monotonic())

    def _run_timers(self, now: float) -> None:
        for timer in tuple(self._timers):
            if now >= timer.due:
                timer.due = now + timer.seconds
                timer.call()

    def _drain_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        if self.on_wake is not None and not self._stopping:
            self.on_wake()
