"""Who watches what: feeds started for the first viewer of a stream, shared, and stopped after the last."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from beholden.live.feed import BusFeed, Connect, Feed, RecorderBus, ShardOf, Subscription
from beholden.live.transcode import TranscodedFeed
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError

__all__ = ["Hub", "RecorderBus", "Watched"]

# Each is a process that decodes and encodes all the time.
MOST_CONVERSIONS = 4
_Key = tuple[int, StreamRole, bool, bool]


@dataclass(frozen=True, slots=True)
class Watched:
    """A running feed and this viewer's queue on it."""

    feed: Feed
    queue: Subscription


class Hub:
    """All live feeds of a web role. Lives in its event loop."""

    def __init__(self, connect: Connect, shard_of: ShardOf, most_conversions: int = MOST_CONVERSIONS) -> None:
        self._connect = connect
        self._shard_of = shard_of
        self._most_conversions = most_conversions
        self._feeds: dict[_Key, Feed] = {}

    @contextlib.asynccontextmanager
    async def watch(
        self, camera: int, stream: StreamRole, *, fast: bool = False, convert: bool = False
    ) -> AsyncIterator[Watched]:
        """A viewer's place on a stream. ``fast`` asks the recorder to read it as data arrives; ``convert``
        makes H.264 of it in a process of its own, shared by all who need that.

        BeholdenError ``busy`` when as many conversions run as may.
        """
        key = (camera, stream, fast, convert)
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = self._make(key)
        queue = feed.add()
        try:
            yield Watched(feed, queue)
        finally:
            feed.subscriptions.discard(queue)
            if not feed.subscriptions and self._feeds.get(key) is feed:
                del self._feeds[key]
                await feed.stop()

    def watching(self) -> int:
        """How many viewers there are."""
        return sum(len(feed.subscriptions) for feed in self._feeds.values())

    async def close(self) -> None:
        """Stop all feeds."""
        feeds, self._feeds = list(self._feeds.values()), {}
        for feed in feeds:
            await feed.stop()

    def _make(self, key: _Key) -> Feed:
        camera, stream, fast, convert = key
        if not convert:
            return BusFeed(camera, stream, self._connect, self._shard_of, fast=fast)
        if sum(known[3] for known in self._feeds) >= self._most_conversions:
            raise BeholdenError(
                "busy",
                f"{self._most_conversions} live views are being converted already.",
                "Close one, or set the camera's sub stream to H.264.",
            )
        return TranscodedFeed(self, camera, stream, fast=fast)
