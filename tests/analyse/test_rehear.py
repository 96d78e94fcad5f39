"""Back-tests of rules about sound: what is loud for the place, as live, from the recorded sound alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from beholden.analyse import seen_files
from beholden.analyse.backtest import CancelledError
from beholden.analyse.detect.fake import FakeDetector
from beholden.catalog import Catalog, backtests, cameras, sites, volumes
from beholden.catalog.backtests import Backtest, Trial
from beholden.catalog.cameras import NewCamera
from beholden.catalog.secrets import SecretBox
from beholden.model.backtest import BacktestState
from beholden.model.errors import BeholdenError
from beholden.model.rule import Rule, RuleKind
from beholden.model.time import SystemClock
from beholden.store.volume import Volume

from .conftest import START_MS
from .test_backtest import CLIP_MS, Recorded, write
from .test_listen import sound

LOUD = Rule(id=1, camera=1, name="Loud", kind=RuleKind.SOUND, level_db=-30.0)
# A quiet place with one loud second in the second file, and a noise below the rule's level in the third.
LEVELS = [[-60.0] * 9, [-60.0] * 4 + [-12.0] + [-60.0] * 4, [-60.0] * 3 + [-40.0] + [-60.0] * 5]


@pytest.fixture
def heard(tmp_path: Path, moving_square: Path) -> Iterator[Recorded]:
    """Three files of nine seconds with sound, of a camera that is listened to."""
    catalog = Catalog.open(tmp_path)
    volume = Volume.create(tmp_path / "footage")
    box = SecretBox.open(tmp_path)
    with catalog.write() as conn:
        sites.ensure(conn)
        cameras.add(conn, box, START_MS, NewCamera("gate", "rtsp://192.0.2.1/", listen=True))
        number = volumes.add(conn, START_MS, volume.uuid, str(volume.path))
    made = Recorded(tmp_path, catalog, volume, [], FakeDetector(lambda _: pytest.fail("looked at a picture")))
    form, units = sound("aac", [level for part in LEVELS for level in part])
    for turn in range(3):
        start_ms = START_MS + turn * CLIP_MS
        first, last = (at * form.rate // 1000 for at in (start_ms, start_ms + CLIP_MS))
        there = [unit for unit in units if first <= unit.pts < last]
        made.keys.append(write(made, number, moving_square, start_ms, (form, there)))
    yield made
    catalog.close()


def ask(heard: Recorded, rule: Rule = LOUD) -> Backtest:
    """A back-test of it over all there is."""
    end = START_MS + CLIP_MS * len(heard.keys)
    with heard.catalog.write() as conn:
        backtests.add(conn, end, 1, Trial(rule, None, None), START_MS, end, "test", stored=False)
        claimed = backtests.claim(conn, SystemClock().now_ms())
    assert claimed is not None
    return claimed


def test_a_loud_second_is_found_and_no_picture_is_looked_at(heard: Recorded) -> None:
    """The one that stands out and is as loud as the rule asks for; its level is told."""
    done = heard.run(ask(heard))
    assert (done.state, done.source, done.found) == (BacktestState.DONE, "sound", 1)
    assert done.footage_ms == 3 * CLIP_MS
    ((start, _),) = heard.found(done)
    assert start == CLIP_MS + 4000
    with heard.catalog.read() as conn:
        (found,) = backtests.found_in(conn, done.id)
    assert found.detail["level_db"] == pytest.approx(-12, abs=2)


def test_another_level_is_tried_without_decoding_again(heard: Recorded) -> None:
    """What was heard is kept beside what was seen, and goes when its footage goes."""
    heard.run(ask(heard))
    for key in heard.keys:  # nothing is left to decode
        heard.volume.path_of(key).write_bytes(b"")
    softer = Rule(id=1, camera=1, name="Loud", kind=RuleKind.SOUND, level_db=-45.0)
    assert heard.run(ask(heard, softer)).found == 2
    assert [key for _, key in seen_files.all_files(heard.data)] == heard.keys


def test_it_goes_on_where_it_was(heard: Recorded) -> None:
    """Stopped in the second file: the first is not heard again, and the same is found."""
    item = ask(heard)
    with pytest.raises(CancelledError):
        heard.run(item, [True] * 12 + [False])
    done_before = [key for _, key in seen_files.all_files(heard.data)]
    assert done_before == heard.keys[:1]
    heard.volume.path_of(heard.keys[0]).write_bytes(b"")
    done = heard.run(item)
    assert (done.state, heard.found(done)[0][0]) == (BacktestState.DONE, CLIP_MS + 4000)


def test_damaged_sound_costs_itself_alone(heard: Recorded) -> None:
    """Bytes of the second file are lost: it says nothing of it, and the others are heard."""
    path = heard.volume.path_of(heard.keys[2])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    done = heard.run(ask(heard))
    assert (done.state, done.found) == (BacktestState.DONE, 1)


def test_footage_without_sound_is_said(tmp_path: Path, heard: Recorded, moving_square: Path) -> None:
    """A sentence, not an empty success."""
    for turn, key in enumerate(heard.keys):
        path = heard.volume.path_of(key)
        path.unlink()
        silent = Recorded(tmp_path, heard.catalog, heard.volume, [], heard.detector)
        write(silent, 1, moving_square, START_MS + turn * CLIP_MS, indexed=False)
    failed = heard.run(ask(heard))
    assert failed.state is BacktestState.FAILED
    assert "no sound" in failed.reason


def test_nobody_listens_to_recordings_of_a_camera_that_is_not_listened_to(heard: Recorded) -> None:
    """Listening is off unless somebody switched it on: then back-tests do not listen either."""
    with heard.catalog.write() as conn:
        cameras.change(conn, SecretBox.open(heard.data), START_MS, 1, {"listen": False})
    with pytest.raises(BeholdenError) as caught:
        ask(heard)
    assert caught.value.code == "not_listened_to"
