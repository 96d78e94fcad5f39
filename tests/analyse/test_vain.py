"""What moves where nothing is ever found is looked at less often, and everything else at once."""

from __future__ import annotations

import numpy as np
import pytest

from beholden.analyse.mailbox import Look
from beholden.analyse.motion import Motion
from beholden.analyse.tell import Teller
from beholden.analyse.vain import Vain
from beholden.model.event import Box, Detection, ObjectClass
from beholden.model.time import FakeClock

from .conftest import START_MS, blank, decoded

TREE, DOOR = Box(0.1, 0.1, 0.3, 0.4), Box(0.6, 0.4, 0.7, 0.8)


def motion(*boxes: Box) -> Motion:
    """Motion in these boxes."""
    mask = np.zeros((180, 320), np.uint8)
    for box in boxes:
        rows = slice(round(box.top * 180), round(box.bottom * 180))
        mask[rows, round(box.left * 320) : round(box.right * 320)] = 255
    return Motion(boxes, float(mask.mean()) / 255, settling=False, mask=mask)


class Yard:
    """A camera, five pictures a second."""

    def __init__(self) -> None:
        self.teller = Teller(1, FakeClock())
        self.now = START_MS

    def looks(self, seconds: float, *boxes: Box, found: list[Detection] | None = None) -> int:
        """How many of the pictures of so long were shown to the detector."""
        shown = 0
        for _ in range(round(seconds * 5)):
            self.now += 200
            look = Look(decoded(blank(90, 160), self.now), motion(*boxes), 200)
            if self.teller.wants(look):
                shown += 1
                self.teller.detected(look, found or [])
        return shown


def test_a_tree_that_sways_is_looked_at_less_often() -> None:
    """Every picture at first; then one in four."""
    yard = Yard()
    assert yard.looks(1.2, TREE) == 6
    assert yard.looks(8, TREE) == 10


def test_a_tree_that_sways_for_minutes_is_looked_at_even_less() -> None:
    """One picture in eight, until something is found; what moves elsewhere is looked at at once as ever."""
    yard = Yard()
    yard.looks(90, TREE)
    assert yard.looks(16, TREE) == 10
    assert yard.looks(0.6, TREE, DOOR) == 3
    yard.looks(0.2, TREE, DOOR, found=[Detection(ObjectClass.PERSON, 0.8, DOOR)])
    yard.looks(12, TREE)
    assert yard.looks(8, TREE) == 10


def test_what_moves_elsewhere_is_looked_at_at_once() -> None:
    """Beside the tree, or where it reaches further than ever."""
    yard = Yard()
    yard.looks(10, TREE)
    assert yard.looks(0.6, TREE, DOOR) == 3
    yard.looks(10, TREE)
    assert yard.looks(0.4, Box(0.1, 0.1, 0.5, 0.4)) == 2


def test_what_was_found_is_followed_at_full_rate() -> None:
    """Somebody under the tree: every picture counts, and so it does for a while after they have gone."""
    yard = Yard()
    yard.looks(10, TREE)
    yard.looks(0.8, TREE, found=[Detection(ObjectClass.PERSON, 0.8, TREE)])
    assert yard.looks(4, TREE, found=[Detection(ObjectClass.PERSON, 0.8, TREE)]) == 20
    assert yard.looks(1.0, TREE) == 5


def test_what_wanders_on_is_looked_at_less_often() -> None:
    """A shadow that goes from one side to the other slowly is one thing, and nothing was found in it."""
    yard = Yard()
    yard.looks(2, wandering(0))
    assert sum(yard.looks(0.2, wandering(step * 0.01)) for step in range(1, 41)) <= 20


def test_what_steps_out_beside_the_tree_is_looked_at_soon() -> None:
    """It may be a branch, so it waits for one picture, not for three."""
    yard = Yard()
    yard.looks(10, TREE)
    assert yard.looks(0.4, Box(0.1, 0.1, 0.36, 0.4)) >= 1


def test_what_runs_is_looked_at_at_once() -> None:
    """It leaves the cells beside those of the last look, and may be something else."""
    yard = Yard()
    yard.looks(2, wandering(0))
    assert sum(yard.looks(0.2, wandering(step * 0.09)) for step in range(1, 9)) == 8


def test_what_moves_beside_a_while_later_is_something_else() -> None:
    """Only what moved a moment ago can have moved on."""
    yard = Yard()
    yard.looks(10, TREE)
    yard.now += 3000
    assert yard.looks(0.2, Box(0.3, 0.1, 0.36, 0.4)) == 1


def wandering(way: float) -> Box:
    """A shadow that has gone so far."""
    return Box(0.1 + way, 0.3, 0.18 + way, 0.6)


@pytest.mark.parametrize(("minutes", "known"), [(0.5, True), (3, False)])
def test_vain_looks_are_forgotten(minutes: float, known: bool) -> None:
    """What swayed an hour ago is no excuse."""
    vain = Vain()
    for number in range(12):
        vain.looked(motion(TREE), START_MS + number * 200, found=False)
    assert vain.patience_ms(motion(TREE), START_MS + 2400) > 700
    later = START_MS + round(minutes * 60_000)
    vain.looked(motion(DOOR), later, found=False)
    assert (vain.patience_ms(motion(TREE), later + 200) > 700) is known
