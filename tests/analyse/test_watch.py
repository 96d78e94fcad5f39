"""Cost follows what happens: a quiet camera's keyframes only, and nothing missed that lasts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from beholden.analyse.feed import Feed
from beholden.analyse.gop import Gop, UsualRate
from beholden.analyse.hooks import Hooks
from beholden.analyse.mailbox import Backlog, Look, Mailbox
from beholden.analyse.motion import Motion, MotionDetector
from beholden.analyse.watch import Watch
from beholden.model.event import Box
from beholden.model.media import AccessUnit, Track
from beholden.model.time import FakeClock

from .conftest import START_MS, blank, coded, decoded, write_clip

FPS, GOP = 10, 20


@dataclass
class Camera:
    """A watch fed by hand, and what it passed on."""

    mode: str = "balanced"
    clock: FakeClock = field(default_factory=FakeClock)
    looks: list[Look] = field(default_factory=list)
    decoded: list[int] = field(default_factory=list)
    states: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.feed = Feed(self.clock)
        self.watch = Watch(1, self.mode, self.feed, self.clock, Hooks(motion=[self._analysed]))

    def _analysed(self, _: int, at_ms: int, __: Motion) -> None:
        self.decoded.append(at_ms - START_MS)

    def play(self, path: Path, each: Callable[[AccessUnit], AccessUnit] = lambda unit: unit) -> Camera:
        """A whole clip; looks are taken at once."""
        stream = coded(path)
        self.feed.put(stream.video)
        for unit in stream.units:
            self.clock.advance(1 / FPS)
            self.feed.put(each(unit))
            while self.watch.step():
                while self.watch.mailbox.waiting:
                    look = self.watch.mailbox.take()[1]
                    self.looks += [look] if look is not None else []
            self.states.append(self.watch.quiet)
        return self


def scene(path: Path, seconds: float, present: Callable[[float], bool], gop: int = GOP) -> Path:
    """A still scene in which a square goes to and fro while it is present."""

    def pictures() -> Iterator[object]:
        for number in range(round(seconds * FPS)):
            picture = blank()
            if present(number / FPS):
                left = number * 9 % 270
                picture[60:120, left : left + 40] = 230
            yield picture

    return write_clip(path, pictures(), FPS, gop)  # type: ignore[arg-type]


def test_a_still_camera_becomes_quiet(tmp_path: Path) -> None:
    """After some calm seconds only keyframes are decoded."""
    camera = Camera().play(scene(tmp_path / "a.mp4", 20, lambda _: False))
    assert camera.watch.quiet
    late = [at for at in camera.decoded if at > 8000]
    assert late == list(range(10000, 20000, 2000))


def test_always_means_always(tmp_path: Path) -> None:
    """In mode always a still camera is decoded five times a second all the same."""
    camera = Camera("always").play(scene(tmp_path / "a.mp4", 12, lambda _: False))
    assert not camera.watch.quiet
    assert len([at for at in camera.decoded if at > 8000]) >= 18


def test_what_begins_between_keyframes_is_seen_from_its_beginning(tmp_path: Path) -> None:
    """The keyframe after it differs; the pictures since the one before are decoded from memory."""
    camera = Camera().play(scene(tmp_path / "a.mp4", 18, lambda at: 12.6 <= at < 16))
    moving = [look.picture.at_ms - START_MS for look in camera.looks if look.motion.regions]
    assert 12600 <= moving[0] <= 12800
    seen = [
        look.picture.at_ms - START_MS
        for look in camera.looks
        if 12000 < look.picture.at_ms - START_MS < 16000
    ]
    assert seen == sorted(set(seen))
    assert max(b - a for a, b in itertools.pairwise(seen)) <= 200


def test_it_says_why_it_is_awake(tmp_path: Path) -> None:
    """Nothing special at first, then that something moves: a replayed keyframe is not a rare one."""
    camera = Camera().play(scene(tmp_path / "a.mp4", 4, lambda _: False))
    assert camera.watch.why_full == ""
    camera = Camera().play(scene(tmp_path / "b.mp4", 18, lambda at: at >= 12.6))
    assert camera.watch.why_full == "something moves"


@pytest.mark.parametrize("mode", ["balanced", "always", "keyframes"])
def test_damage_is_not_motion(tmp_path: Path, mode: str) -> None:
    """Pictures that came damaged, and lost ones, move nothing; the camera is looked at again after them."""
    random = np.random.default_rng(8)
    grain = [random.integers(-15, 15, (180, 320, 1), np.int16) for _ in range(7)]
    bars = blank().astype(np.int16)
    bars[:, ::40] += 90
    pictures = ((bars + grain[n % 7]).clip(0, 255).astype(np.uint8) for n in range(400))
    path = write_clip(tmp_path / "a.mp4", pictures, FPS, GOP)
    hurt = set(np.random.default_rng(9).choice(np.arange(100, 360), 26, replace=False).tolist())
    numbers = itertools.count()

    def each(unit: AccessUnit) -> AccessUnit:
        if next(numbers) not in hurt:
            return unit
        data = unit.data()
        middle = len(data) // 2
        wrong = data[:middle] + bytes(255 - byte for byte in data[middle:])
        return AccessUnit(unit.track, unit.pts, unit.key, (wrong,), len(wrong), unit.arrival_ms)

    camera = Camera(mode).play(path, each)
    assert not [look.picture.at_ms - START_MS for look in camera.looks if look.motion.regions]
    assert not any(look.motion.settling for look in camera.looks if look.picture.at_ms > START_MS + 2000)
    assert camera.decoded[-1] >= 38_000


def test_it_is_quiet_again_afterwards(tmp_path: Path) -> None:
    """Full rate ends some seconds after the last motion, at a keyframe."""
    camera = Camera().play(scene(tmp_path / "a.mp4", 40, lambda at: 12.6 <= at < 15))
    assert camera.states[11 * FPS]
    assert not camera.states[16 * FPS]
    assert camera.states[-1]


def test_something_in_view_keeps_it_awake(tmp_path: Path) -> None:
    """Who stands still makes no motion, and must not be lost sight of."""
    camera = Camera()
    camera.watch.busy = True
    camera.play(scene(tmp_path / "a.mp4", 14, lambda _: False))
    assert not any(camera.states)


def test_rare_keyframes_are_not_waited_for(tmp_path: Path) -> None:
    """A camera whose GOPs are longer than ten seconds is decoded, with the reason."""
    camera = Camera().play(scene(tmp_path / "a.mp4", 40, lambda at: 31 <= at < 36, gop=130))
    assert not any(camera.states)
    assert "too rarely" in camera.watch.why_full
    assert any(look.motion.regions for look in camera.looks)


def test_a_change_within_one_gop_is_found_by_its_size(tmp_path: Path) -> None:
    """What enters and leaves between two keyframes makes the GOP larger than usual, and is looked into."""
    path = scene(tmp_path / "a.mp4", 44, lambda at: 40.4 <= at < 41.6)
    camera = Camera().play(path)
    moving = [look.picture.at_ms - START_MS for look in camera.looks if look.motion.regions]
    assert moving
    assert 40400 <= moving[0] <= 41600


def test_a_probe_finds_what_sizes_do_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a minute a quiet GOP is decoded without a reason; what moves in it is passed on."""
    monkeypatch.setattr(UsualRate, "stands_out", lambda *_: False)
    every_gop = scene(tmp_path / "a.mp4", 80, lambda at: at > 8 and 0.4 <= at % 2 < 1.6)
    camera = Camera().play(every_gop)
    moving = [look.picture.at_ms - START_MS for look in camera.looks if look.motion.regions]
    assert moving
    assert moving[0] > 60_000


def test_overload_falls_to_keyframes_and_recovers(tmp_path: Path) -> None:
    """While the feed says the CPU is short only keyframes are decoded; afterwards everything works again."""
    path = scene(tmp_path / "a.mp4", 40, lambda at: at > 26)
    camera = Camera()
    late = iter(range(1000))

    def each(unit: AccessUnit) -> AccessUnit:
        if next(late) == 60:  # a unit waits too long
            camera.feed.put(unit)
            camera.clock.advance(1.5)
        return unit

    camera.play(path, each)
    relieved = [at for at in camera.decoded if 8000 <= at <= 14000]
    assert len(relieved) <= 4
    assert [look for look in camera.looks if look.motion.regions and look.picture.at_ms > START_MS + 30_000]
    assert camera.watch.keyframes_only is False


def unit(at_ms: int, size: int, key: bool = False) -> AccessUnit:
    """A picture of so many bytes."""
    return AccessUnit(Track.VIDEO, at_ms * 90, key, (b"x",), size, 0)


def test_a_kept_gop_is_bounded() -> None:
    """In time, number and bytes; what does not fit is refused, not forgotten silently."""
    long, many, large = (Gop(unit(0, 100, key=True)) for _ in range(3))
    assert long.add(unit(9_900, 1))
    assert not long.add(unit(10_100, 1))
    assert sum(many.add(unit(1, 1)) for _ in range(1000)) == 599
    assert large.add(unit(1, 4_000_000))
    assert not large.add(unit(2, 300_000))


def gop(rate: int) -> Gop:
    """A keyframe and ten pictures of so many bytes each."""
    made = Gop(unit(0, 5000, key=True))
    for number in range(10):
        made.add(unit(number * 100, rate))
    return made


def test_false_alarms_of_sizes_make_them_rarer() -> None:
    """A margin that proved wrong grows, one that proved right shrinks."""
    usual = UsualRate()
    assert not any(usual.stands_out(gop(100)) for _ in range(10))
    assert usual.stands_out(gop(170))
    usual.judged(right=False)
    assert not usual.stands_out(gop(170))
    usual.judged(right=True)
    assert usual.stands_out(gop(170))


def look(at_ms: int) -> Look:
    """A look at nothing."""
    return Look(decoded(blank(), START_MS + at_ms), Motion((), 0, settling=False), 200)


def taken(mailbox: Mailbox) -> list[int]:
    """The times of all looks that wait."""
    found = []
    while (item := mailbox.take()[1]) is not None:
        found.append(item.picture.at_ms - START_MS)
    return found


def test_live_looks_give_way_and_replayed_ones_wait() -> None:
    """Of live ones the newest four, so that a burst is looked at; a replayed GOP all of it, in order."""
    mailbox = Mailbox(FakeClock(), Backlog())
    for number in range(9):
        mailbox.put(look(number))
    assert taken(mailbox) == [5, 6, 7, 8]
    for number in range(9):
        mailbox.put(look(number), in_line=True)
    assert taken(mailbox) == list(range(9))


def test_what_moved_in_a_look_left_out_still_counts() -> None:
    """The next one carries its regions."""
    mailbox = Mailbox(FakeClock(), Backlog())
    region = Box(0.1, 0.1, 0.2, 0.2)
    first = look(0)
    mailbox.put(Look(first.picture, Motion((region,), 0.1, settling=False), 200))
    for number in range(1, 5):
        mailbox.put(look(number))
    _, carried = mailbox.take()
    assert carried is not None
    assert carried.motion.regions == (region,)


def test_no_look_waits_longer_than_a_second() -> None:
    """What is older is left out, except the newest."""
    clock = FakeClock()
    mailbox = Mailbox(clock, Backlog())
    for number in range(5):
        mailbox.put(look(number), in_line=True)
        clock.advance(0.4)
    assert taken(mailbox) == [3, 4]


def test_looks_in_line_share_one_bound() -> None:
    """When the memory for all cameras is used up, newer looks replace older ones; taking gives it back."""
    size = look(0).size
    backlog = Backlog(most=size * 2)
    one, other = Mailbox(FakeClock(), backlog), Mailbox(FakeClock(), backlog)
    for number in range(4):
        one.put(look(number), in_line=True)
    other.put(look(7), in_line=True)
    other.put(look(8), in_line=True)
    assert taken(one) == [0, 3]
    assert taken(other) == [8]
    other.end()
    other.put(look(9), in_line=True)
    other.put(look(10), in_line=True)
    assert taken(other) == [9, 10]


def test_a_copied_background_is_its_own() -> None:
    """What a copy learns changes nothing."""
    motion = MotionDetector()
    grey, bright = decoded(blank(grey=90), 0).luma(), decoded(blank(grey=90), 0).luma().copy()
    bright[40:80, 40:80] = 220
    for number in range(20):
        motion.look(grey, number * 200)
    copy = motion.copy()
    for number in range(300):
        copy.look(bright, 4000 + number * 200)
    assert not copy.look(bright, 70_000).regions
    assert motion.look(bright, 70_000).regions
