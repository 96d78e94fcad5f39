"""A virtual camera: two clips played in a loop on one clock, to whoever watches.

A camera rests while nobody watches. The first viewer wakes it at the start of a GOP, so a picture can be
decoded
at once; later viewers wait for the next keyframe, as with a real camera. RTP time runs on through rest,
loops and
viewers, so timestamps are continuous for as long as the server lives.
"""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from beholden.demo.clip import FRAMING, Clip, Gop, Picture

CATCH_UP = 0.5
"""Seconds a stream that is woken while its sister plays may start late with the current GOP."""

GRID = 0.005
"""Pictures leave on a grid of 5 ms, so that one wake-up serves several cameras."""


@dataclass(frozen=True, slots=True)
class VirtualCamera:
    """What a camera plays. ``phase`` (0..1) is where in its clip it begins."""

    name: str
    main: Path
    sub: Path | None = None
    phase: float = 0.0


class Stamped(NamedTuple):
    """A GOP ready to send: ``data`` carries this round's sequence numbers, timestamps and SSRCs."""

    gop: Gop
    data: memoryview
    round: int


class Viewer(Protocol):
    """Who is given pictures."""

    def send(self, stamped: Stamped, picture: Picture) -> None:
        """Send the bytes of one picture, and the audio up to the next."""
        ...


class Scene:
    """What a camera looks at: the clock its main and sub stream share.

    ``epoch`` and ``origin`` are loop times: RTP time 0, and the start of round 0 of the clips.
    """

    def __init__(self, phase: float, now: float) -> None:
        self.phase = phase
        self.epoch = now
        self.origin: float | None = None
        self.awake = 0

    def wake(self, clip: Clip, now: float) -> None:
        """Called by the first stream to play: a GOP starts now."""
        at = (now - self.origin) % clip.seconds if self.origin is not None else self.phase * clip.seconds
        starts = [gop.pictures[0].at for gop in clip.gops]
        self.origin = now - max(start for start in starts if start <= at + 1e-6)


class Playout:
    """One stream of one camera: stamps GOPs and hands each picture to the viewers when it is due."""

    def __init__(self, name: str, stream: str, clip: Clip, scene: Scene) -> None:
        self.name = name
        self.stream = stream
        self.clip = clip
        self._scene = scene
        self._loop = asyncio.get_running_loop()
        self._viewers: set[Viewer] = set()
        self._timer: asyncio.Handle | None = None
        seeded = random.Random(f"{name}/{stream}")  # noqa: S311 - repeatable, not secret
        self.ssrc = [seeded.getrandbits(32) for _ in clip.tracks]
        self._sequence = [seeded.getrandbits(16) for _ in clip.tracks]
        self._base = [seeded.getrandbits(32) for _ in clip.tracks]
        self._gop = self._round = self._picture = 0
        self._stamped: Stamped | None = None
        self._held = False

    def join(self, viewer: Viewer) -> None:
        """Begin to send to a viewer."""
        self._viewers.add(viewer)
        if self._timer is None:
            if self._scene.awake == 0:
                self._scene.wake(self.clip, self._loop.time())
            self._scene.awake += 1
            self._find_gop()
            self._timer = self._loop.call_soon(self._tick)

    def leave(self, viewer: Viewer) -> None:
        """Stop sending to a viewer; the last one lets the camera rest."""
        self._viewers.discard(viewer)
        if not self._viewers and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._scene.awake -= 1

    def hold(self) -> None:
        """Send nothing more for good; viewers stay connected. Their last picture is whole."""
        self._held = True

    def rtp_now(self, track: int) -> int:
        """The RTP timestamp of this instant on a track's clock."""
        elapsed = self._loop.time() - self._scene.epoch
        return (self._base[track] + round(elapsed * self.clip.tracks[track].rate)) & 0xFFFFFFFF

    @property
    def _origin(self) -> float:
        assert self._scene.origin is not None
        return self._scene.origin + self._round * self.clip.seconds

    def _find_gop(self) -> None:
        assert self._scene.origin is not None
        position = self._loop.time() - self._scene.origin - CATCH_UP
        self._round = max(0, math.floor(position / self.clip.seconds))
        starts = [gop.pictures[0].at for gop in self.clip.gops]
        later = [i for i, start in enumerate(starts) if self._round * self.clip.seconds + start >= position]
        self._gop = later[0] if later else 0
        self._round += 0 if later else 1
        self._stamp()

    def _stamp(self) -> None:
        gop = self.clip.gops[self._gop]
        data, at, tracks = gop.data.copy(), gop.offsets + FRAMING, gop.tracks
        sequence = (np.array(self._sequence, np.int64)[tracks] + gop.order) & 0xFFFF
        elapsed = self._origin - self._scene.epoch
        bases = [
            base + round(elapsed * track.rate)
            for base, track in zip(self._base, self.clip.tracks, strict=True)
        ]
        times = (np.array(bases, np.int64)[tracks] + gop.times) & 0xFFFFFFFF
        ssrc = np.array(self.ssrc, np.int64)[tracks]
        data[at + 2], data[at + 3] = sequence >> 8, sequence & 255
        for byte in range(4):
            data[at + 4 + byte] = (times >> (24 - 8 * byte)) & 255
            data[at + 8 + byte] = (ssrc >> (24 - 8 * byte)) & 255
        self._sequence = [
            (old + count) & 0xFFFF for old, count in zip(self._sequence, gop.counts, strict=True)
        ]
        self._stamped = Stamped(gop, memoryview(data.tobytes()), self._round)
        self._picture = 0

    def _tick(self) -> None:
        assert self._stamped is not None
        now = self._loop.time()
        while self._viewers and not self._held:
            picture = self._stamped.gop.pictures[self._picture]
            due = self._origin + picture.at
            if due > now:
                self._timer = self._loop.call_at(math.ceil(due / GRID) * GRID, self._tick)
                return
            for viewer in tuple(self._viewers):
                viewer.send(self._stamped, picture)
            self._advance()

    def _advance(self) -> None:
        assert self._stamped is not None
        self._picture += 1
        if self._picture < len(self._stamped.gop.pictures):
            return
        self._gop += 1
        if self._gop == len(self.clip.gops):
            self._gop = 0
            self._round += 1
        self._stamp()
