"""From detections to events: once, in time, with the best still, and nothing for what only stands there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beholden.analyse.decode import Decoded
from beholden.analyse.events import STILL, EventChange, EventMaker, Phase
from beholden.analyse.motion import Motion
from beholden.analyse.track import Tracker, merged
from beholden.model.event import Box, Detection, ObjectClass

from .conftest import START_MS, blank, decoded

STEP = 200
PERSON, CAR, TRUCK = ObjectClass.PERSON, ObjectClass.CAR, ObjectClass.TRUCK
PICTURE = blank(90, 160)


def at(
    x: float, y: float = 0.4, size: float = 0.1, kind: ObjectClass = PERSON, score: float = 0.8
) -> Detection:
    """A square detection by its left edge."""
    return Detection(kind, score, Box(x, y, x + size, y + size))


def stirred(boxes: Sequence[Box]) -> Motion:
    """Motion in these boxes."""
    mask = np.zeros((180, 320), np.uint8)
    for box in boxes:
        mask[
            round(box.top * 180) : round(box.bottom * 180), round(box.left * 320) : round(box.right * 320)
        ] = 255
    return Motion(tuple(boxes), float(mask.mean()) / 255, settling=False, mask=mask)


class Scene:
    """Plays detections into tracker and event maker, five pictures a second."""

    def __init__(self, interval_ms: int = STEP) -> None:
        self.tracker = Tracker()
        self.maker = EventMaker(7)
        self.now = START_MS
        self.interval = interval_ms
        self.changes: list[EventChange] = []

    def show(self, *detections: Detection, times: int = 1, moving: Sequence[Box] = ()) -> Scene:
        """So many pictures with these detections."""
        for _ in range(times):
            self.now += self.interval
            picture: Decoded = decoded(PICTURE, self.now)
            tracked = self.tracker.update(detections, self.now, sparse=self.interval > 900)
            self.changes += self.maker.update(tracked, picture, stirred(moving), self.interval)
        return self

    def walk(self, start: float, end: float, pictures: int, **looks: object) -> Scene:
        """Something that goes from one place to another."""
        for number in range(pictures):
            self.show(at(start + (end - start) * number / (pictures - 1), **looks))  # type: ignore[arg-type]
        return self

    def enter(self, pictures: int, pace: float = 0.02, share: float = 1.0, **looks: object) -> Scene:
        """Something that comes into view, a share of whose box differs from the background."""
        for number in range(pictures):
            seen = at(0.3 + number * pace, **looks)  # type: ignore[arg-type]
            wide = (seen.box.right - seen.box.left) * share
            self.show(seen, moving=[Box(seen.box.left, seen.box.top, seen.box.left + wide, seen.box.bottom)])
        return self

    def told(self) -> list[Phase]:
        """What happened, updates left out."""
        return [change.phase for change in self.changes if change.phase is not Phase.UPDATE]


def test_who_walks_through_is_told_once() -> None:
    """One start, one end, at the times of first and last sight."""
    scene = Scene().walk(0.1, 0.8, 20)
    last = scene.now
    scene.show(times=20)
    assert scene.told() == [Phase.START, Phase.END]
    assert scene.changes[-1].end_ms == last
    assert scene.changes[0].start_ms <= START_MS + 2 * STEP
    assert scene.changes[0].camera == 7
    assert scene.changes[0].still is not None


def test_an_event_ends_three_seconds_after_last_sight() -> None:
    """Not before, and not much later."""
    scene = Scene().walk(0.1, 0.5, 10)
    scene.show(times=15)
    assert scene.told() == [Phase.START]
    scene.show(times=2)
    assert scene.told() == [Phase.START, Phase.END]


def test_time_alone_ends_an_event() -> None:
    """When nothing moves nobody looks, yet events end."""
    scene = Scene().walk(0.1, 0.5, 10)
    assert scene.maker.tick(scene.now + 2900) == []
    assert [change.phase for change in scene.maker.tick(scene.now + 3100)] == [Phase.END]


def test_flicker_is_not_told() -> None:
    """Something seen in two pictures is nothing."""
    scene = Scene()
    for _ in range(5):
        scene.show(at(0.3), at(0.6), times=2).show(times=20)
    assert scene.told() == []


def test_who_plainly_comes_in_is_told_at_second_sight() -> None:
    """Surely seen twice, a step on, and all of them differs from the background: that is enough."""
    assert Scene().enter(1).told() == []
    assert Scene().enter(2).told() == [Phase.START]
    assert Scene().enter(2, pace=0.0).told() == []
    assert Scene().enter(3, pace=0.0).told() == [Phase.START]


@pytest.mark.parametrize("looks", [{"score": 0.55}, {"share": 0.2}, {"share": 0.0}])
def test_what_is_less_plain_is_watched_for_longer(looks: dict[str, float]) -> None:
    """Half sure of it, or little of it differs from the background: it must move as far as ever."""
    assert Scene().enter(3, pace=0.01, **looks).told() == []  # type: ignore[arg-type]
    assert Scene().enter(20, **looks).told() == [Phase.START]  # type: ignore[arg-type]


def test_a_car_that_plainly_comes_in_is_told_at_third_sight() -> None:
    """When it went a quarter of its length; one in front of which somebody walks went nowhere."""
    assert Scene().enter(2, pace=0.03, kind=CAR).told() == []
    assert Scene().enter(3, pace=0.03, kind=CAR).told() == [Phase.START]
    assert Scene().enter(7, pace=0.0, kind=CAR).told() == []


def test_what_was_there_before_does_not_count_as_new() -> None:
    """A post taken for a person is not told sooner because leaves move in front of it."""
    scene = Scene().show(at(0.3), times=4)
    assert scene.enter(5, pace=0.0).told() == []


def test_where_two_pass_each_other_a_third_is_watched_for_longer() -> None:
    """A box around both, in two or three pictures, is nobody."""
    scene = Scene().enter(8)
    for number in range(8, 11):
        one, both = at(0.3 + number * 0.02), at(0.25 + number * 0.02, y=0.35, size=0.2, score=0.7)
        scene.show(one, both, moving=[both.box])
    assert scene.told() == [Phase.START]


def test_a_glimpse_is_forgotten() -> None:
    """What one picture shows and the next does not is nothing, however often it happens."""
    scene = Scene()
    for _ in range(30):
        scene.enter(1).show(times=2)
    assert scene.told() == []
    assert not scene.maker.watching


def test_weak_detections_are_not_told() -> None:
    """Nothing that was never surely seen."""
    assert Scene().walk(0.1, 0.8, 30, score=0.44).told() == []


def test_a_parked_car_is_not_told() -> None:
    """A car that never moved is no event, though people hide it for a while."""
    scene = Scene()
    for _ in range(4):
        scene.show(at(0.4, kind=CAR), times=40).show(times=25)
    assert scene.told() == []


def test_a_standing_person_is_told_once() -> None:
    """Who stands still is told after five seconds, ends after sixty, and is not told again while there."""
    scene = Scene().show(at(0.4), times=5 * 180)
    assert scene.told() == [Phase.START, Phase.END]
    change = scene.changes[-1]
    assert 55_000 < (change.end_ms or 0) - change.start_ms < 70_000


def test_who_walks_on_after_standing_is_told_again() -> None:
    """What rested and moves away begins a new event."""
    scene = Scene().show(at(0.2), times=5 * 70).walk(0.2, 0.7, 20).show(times=30)
    assert scene.told() == [Phase.START, Phase.END, Phase.START, Phase.END]


def test_a_car_that_parks_ends_its_event() -> None:
    """It drives in (told), stands for a minute (ended), stays (silence)."""
    scene = Scene().walk(0.0, 0.5, 15, kind=CAR).show(at(0.5, kind=CAR), times=5 * 120)
    assert scene.told() == [Phase.START, Phase.END]


def test_a_short_loss_does_not_split_an_event() -> None:
    """Two seconds behind a tree are not a new person."""
    scene = Scene().walk(0.1, 0.4, 15).show(times=10).walk(0.42, 0.7, 15).show(times=30)
    assert scene.told() == [Phase.START, Phase.END]


def test_two_people_are_two_events() -> None:
    """Each is told."""
    scene = Scene()
    for number in range(20):
        scene.show(at(0.1 + number * 0.02, y=0.1), at(0.8 - number * 0.02, y=0.7))
    scene.show(times=20)
    assert scene.told().count(Phase.START) == scene.told().count(Phase.END) == 2


def test_the_class_is_voted() -> None:
    """A car sometimes taken for a truck stays one car."""
    scene = Scene()
    for number in range(20):
        scene.show(at(0.1 + number * 0.03, kind=TRUCK if number % 4 == 1 else CAR))
    scene.show(times=20)
    assert scene.told() == [Phase.START, Phase.END]
    assert scene.changes[-1].kind is CAR


def test_half_sure_twice_is_surer_of_a_vehicle() -> None:
    """A box that is car and truck at once is one object."""
    found = merged([at(0.3, kind=CAR, score=0.4), at(0.3, kind=TRUCK, score=0.5), at(0.3, score=0.4)])
    assert [item.kind for item in found] == [TRUCK, PERSON]
    assert found[0].score == pytest.approx(0.7)
    assert len(merged([at(0.3), at(0.31)])) == 1


def test_the_still_is_the_largest_and_surest() -> None:
    """Who comes nearer gets a better still; box and time belong to it."""
    scene = Scene()
    for number in range(20):
        scene.show(at(0.1 + number * 0.02, size=0.1 + number * 0.01))
    stills = [change for change in scene.changes if change.still is not None]
    assert len(stills) > 2
    assert stills[-1].box.right - stills[-1].box.left > 0.2
    assert stills[-1].still is not None
    assert stills[-1].still.at_ms == stills[-1].still_ms


def test_keyframes_only_needs_one_picture_and_motion() -> None:
    """Pictures two seconds apart: motion where it is replaces three sights; what does not move is silent."""
    moving = [Box(0.25, 0.35, 0.45, 0.55)]
    assert Scene(2000).show(at(0.3), moving=moving).told() == [Phase.START]
    assert Scene(2000).show(at(0.3, kind=CAR), times=5).told() == []


def test_keyframes_only_follows_by_place() -> None:
    """The same walker on three keyframes is one event."""
    moving = [Box(0, 0, 1, 1)]
    scene = Scene(2000)
    for x in (0.1, 0.3, 0.5):
        scene.show(at(x), moving=moving)
    scene.show(times=3)
    assert scene.told() == [Phase.START, Phase.END]


def test_close_ends_all() -> None:
    """What is open ends where it was last seen; afterwards nothing is known."""
    scene = Scene().walk(0.1, 0.5, 10)
    assert [change.phase for change in scene.maker.close()] == [Phase.END]
    assert scene.maker.close() == []
    assert scene.maker.open == 0
    assert not scene.maker.watching


def test_time_that_steps_back_does_not_break_tracking() -> None:
    """A camera whose clock is set back loses its tracks and goes on."""
    tracker = Tracker()
    for moment in (START_MS, START_MS + 200, START_MS - 5000, START_MS - 4800, START_MS - 4800):
        tracker.update([at(0.3)], moment)


BOXES = st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.01, 0.5))
DETECTIONS = st.builds(
    lambda place, kind, score: at(place[0], place[1], place[2], kind, score),
    BOXES,
    st.sampled_from(ObjectClass),
    st.floats(0, 1),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.lists(DETECTIONS, max_size=6), st.integers(40, 5000)), max_size=25))
def test_every_event_begins_once_and_ends_once(pictures: list[tuple[list[Detection], int]]) -> None:
    """Whatever a detector says: start, updates, end, in this order; ends never before starts."""
    tracker, maker, now = Tracker(), EventMaker(1), START_MS
    changes: list[EventChange] = []
    for detections, step in pictures:
        now += step
        picture = decoded(PICTURE, now)
        changes += maker.update(tracker.update(detections, now, sparse=step > 900), picture, STILL, step)
    changes += maker.close()
    state: dict[int, Phase] = {}
    for change in changes:
        before = state.get(change.key)
        if change.phase is Phase.START:
            assert before in (None, Phase.END)
        else:
            assert before in (Phase.START, Phase.UPDATE)
        if change.phase is Phase.END:
            assert change.end_ms is not None
            assert change.end_ms >= change.start_ms
        state[change.key] = change.phase
    assert all(phase is Phase.END for phase in state.values())


@pytest.mark.parametrize(("kind", "shown"), [(PERSON, False), (CAR, True)])
def test_who_stood_there_and_is_not_found_any_more_has_left(kind: ObjectClass, shown: bool) -> None:
    """A car behind a passer-by is still there; a person looked for and not found for a second is not."""
    scene = Scene().show(at(0.4, kind=kind), times=12)
    assert scene.maker.in_view(scene.now)
    scene.show(times=22)
    assert bool(scene.maker.in_view(scene.now)) is shown
