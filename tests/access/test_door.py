"""The door: right, look, pass, in that order, for every byte of footage."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import pytest
from sqlalchemy.exc import DatabaseError

from beholden.access import rights
from beholden.access.door import NO_CAMERA, SAME_LOOK_SECONDS, Door, Pass
from beholden.access.refusal import NoSuchCameraError, NotPermittedError
from beholden.catalog import Catalog, CatalogError, cameras, users
from beholden.catalog.users import Grant
from beholden.model.access import Action
from beholden.model.errors import BeholdenError


def test_a_look_is_durable_before_the_pass_is_given(house: Any) -> None:
    """Another connection sees the look, with who, camera, action, range, when and from where."""
    viewer = house.signed_in(house.viewer)
    leave = house.door.open(viewer, house.gate, Action.PLAYBACK, 1000, 61_000, "main 1000-0")
    other = Catalog(house.catalog.path, read_only=True)
    with other.read() as conn:
        row = conn.exec_driver_sql("SELECT * FROM look").mappings().one()
    other.close()
    expected = {
        "id": leave.look_id,
        "at_ms": house.clock.now_ms(),
        "user_id": house.viewer,
        "user_name": "viewer",
        "session_id": viewer.session_id,
        "ip": "192.0.2.50",
        "camera": house.gate,
        "action": "playback",
        "from_ms": 1000,
        "to_ms": 61_000,
        "what": "main 1000-0",
    }
    assert expected == dict(row)


@pytest.mark.parametrize("statement", ["UPDATE look SET user_name = 'nobody'", "DELETE FROM look"])
def test_looks_cannot_be_changed_or_deleted(house: Any, statement: str) -> None:
    """The table refuses both by trigger, and the look stays."""
    house.door.open(house.signed_in(house.admin), house.gate, Action.LIVE, 0, None, "live main")
    with pytest.raises((CatalogError, DatabaseError), match="append-only"), house.catalog.write() as conn:
        conn.exec_driver_sql(statement)
    assert [look.user_name for look in house.looks()] == ["admin"]


@pytest.mark.parametrize("action", list(Action))
def test_a_right_is_of_one_camera_and_one_action(house: Any, action: Action) -> None:
    """A viewer with three rights on one camera gets just those, and nothing of another camera."""
    viewer = house.signed_in(house.viewer)
    if action in (Action.DOWNLOAD, Action.CLEAR):
        with pytest.raises(NotPermittedError):
            house.door.open(viewer, house.gate, action, 0, 1, "x")
    else:
        assert house.door.open(viewer, house.gate, action, 0, 1, "x").action is action
    with pytest.raises(NotPermittedError):
        house.door.open(viewer, house.yard, action, 0, 1, "x")


def test_a_still_is_clear_only_by_right_and_the_look_says_which(house: Any) -> None:
    """Blurred for a viewer, clear for an admin and for who was granted it; each is a look of its own."""
    viewer, admin = house.signed_in(house.viewer), house.signed_in(house.admin)
    blurred = house.door.open(viewer, house.gate, Action.STILL, 5, 5, "event 1 still")
    clear = house.door.open(admin, house.gate, Action.STILL, 5, 5, "event 1 still")
    with house.catalog.write() as conn:
        users.set_grants(
            conn, house.viewer, frozenset(Grant(house.gate, each) for each in (Action.STILL, Action.CLEAR))
        )
    granted = house.door.open(viewer, house.gate, Action.STILL, 5, 5, "event 1 still")
    assert (blurred.clear, clear.clear, granted.clear) == (False, True, True)
    assert [look.what for look in house.looks()] == [
        "event 1 still, blurred",
        "event 1 still, clear",
        "event 1 still, clear",
    ]


def test_the_right_to_see_clear_alone_shows_nothing(house: Any) -> None:
    """It is no way in: neither a camera's name, nor a still."""
    with house.catalog.write() as conn:
        users.set_grants(conn, house.viewer, frozenset({Grant(house.gate, Action.CLEAR)}))
        user = users.by_id(conn, house.viewer)
    viewer = house.signed_in(house.viewer)
    for action in Action:
        with pytest.raises(NotPermittedError):
            house.door.open(viewer, house.gate, action, 0, 1, "x")
    assert user is not None
    assert rights.visible(user, [house.gate]) == set()
    with pytest.raises(NotPermittedError):
        house.door.open(house.signed_in(house.admin), house.gate, Action.CLEAR, 0, 1, "x")


def test_a_refusal_writes_no_look(house: Any) -> None:
    """What was not shown was not seen."""
    with pytest.raises(NotPermittedError):
        house.door.open(house.signed_in(house.viewer), house.yard, Action.LIVE, 0, None, "live")
    assert house.looks() == []


def test_refusals_do_not_tell_which_cameras_exist(house: Any) -> None:
    """Without the right, a camera that is there and one that is not are refused alike; an admin is told."""
    viewer, admin = house.signed_in(house.viewer), house.signed_in(house.admin)
    for camera in (house.yard, 999):
        with pytest.raises(NotPermittedError):
            house.door.open(viewer, camera, Action.LIVE, 0, None, "live")
    with pytest.raises(NoSuchCameraError):
        house.door.open(admin, 999, Action.LIVE, 0, None, "live")


def test_footage_of_a_removed_camera_is_still_behind_the_door(house: Any) -> None:
    """Its footage stays until its retention ends, and looking at it is still a look."""
    with house.catalog.write() as conn:
        cameras.remove(conn, house.clock.now_ms(), house.gate)
    house.door.open(house.signed_in(house.admin), house.gate, Action.PLAYBACK, 0, 1, "main 0-0")
    assert [house.gate] == [look.camera for look in house.looks()]


def test_reading_on_in_the_same_file_is_the_same_look(house: Any) -> None:
    """For ten minutes; but what lies beyond the range of a look is another one."""
    viewer = house.signed_in(house.viewer)
    first = house.door.open(viewer, house.gate, Action.PLAYBACK, 1000, 2000, "main 1000-0")
    house.clock.advance(SAME_LOOK_SECONDS - 1)
    again = house.door.open(viewer, house.gate, Action.PLAYBACK, 1000, 2000, "main 1000-0")
    beyond = house.door.open(viewer, house.gate, Action.PLAYBACK, 1000, 61_000, "main 1000-0")
    house.clock.advance(1)
    later = house.door.open(viewer, house.gate, Action.PLAYBACK, 1000, 2000, "main 1000-0")
    assert first.look_id == again.look_id
    assert len({first.look_id, beyond.look_id, later.look_id}) == 3
    assert len(house.looks()) == 3


@pytest.mark.parametrize("difference", ["file", "camera", "session", "action"])
def test_anything_else_is_another_look(house: Any, difference: str) -> None:
    """Another file, camera, session or action is another act of viewing."""
    viewer = house.signed_in(house.admin)
    house.door.open(viewer, house.gate, Action.PLAYBACK, 1000, 2000, "main 1000-0")
    other = house.signed_in(house.admin) if difference == "session" else viewer
    camera = house.yard if difference == "camera" else house.gate
    action = Action.STILL if difference == "action" else Action.PLAYBACK
    what = "main 2000-0" if difference == "file" else "main 1000-0"
    house.door.open(other, camera, action, 1000, 2000, what)
    assert len(house.looks()) == 2


@pytest.mark.parametrize("action", [Action.LIVE, Action.DOWNLOAD])
def test_each_live_view_and_each_download_is_a_look(house: Any, action: Action) -> None:
    """Doing it twice in a row leaves two rows."""
    admin = house.signed_in(house.admin)
    for _ in range(2):
        house.door.open(admin, house.gate, action, 1000, 2000, "same")
    assert len(house.looks()) == 2


def test_a_coalesced_look_still_checks_the_right(house: Any) -> None:
    """A right taken away in between is gone at once."""
    viewer = house.signed_in(house.viewer)
    house.door.open(viewer, house.gate, Action.PLAYBACK, 1000, 2000, "main 1000-0")
    with house.catalog.write() as conn:
        users.set_grants(conn, house.viewer, frozenset({Grant(house.gate, Action.LIVE)}))
    with pytest.raises(NotPermittedError):
        house.door.open(viewer, house.gate, Action.PLAYBACK, 1000, 2000, "main 1000-0")


def test_many_readers_of_one_file_at_once_make_one_look(house: Any) -> None:
    """A player asks for many ranges of a file at the same moment."""
    viewer, passes = house.signed_in(house.viewer), []
    ready = threading.Barrier(8)

    def read() -> None:
        ready.wait()
        passes.append(house.door.open(viewer, house.gate, Action.PLAYBACK, 1000, 2000, "main 1000-0"))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passes) == 8
    assert len(house.looks()) == 1


@pytest.mark.parametrize("way", ["session", "disabled", "grant"])
def test_a_pass_no_longer_holds(house: Any, way: str) -> None:
    """Long-lived views learn of an ended session, a disabled account and a lost right."""
    viewer = house.signed_in(house.viewer)
    leave = house.door.open(viewer, house.gate, Action.LIVE, 0, None, "live")
    assert house.door.holds(leave)
    if way == "session":
        house.sessions.end(viewer, viewer.session_id)
    with house.catalog.write() as conn:
        if way == "disabled":
            users.set_disabled(conn, house.viewer, True)
        if way == "grant":
            users.set_grants(conn, house.viewer, frozenset())
    assert not house.door.holds(leave)
    with pytest.raises(NotPermittedError):
        house.door.open(viewer, house.gate, Action.LIVE, 0, None, "live")


def test_when_the_look_cannot_be_written_there_is_no_pass(house: Any) -> None:
    """No look, no footage: a catalog that refuses the row refuses the viewing."""
    admin = house.signed_in(house.admin)
    with house.catalog.write() as conn:
        conn.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON look BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    with pytest.raises((CatalogError, DatabaseError)):
        house.door.open(admin, house.gate, Action.PLAYBACK, 0, 1, "main 0-0")


def test_testing_an_address_is_a_look_too(house: Any) -> None:
    """A picture from an address is seen by somebody; of a known camera it is that camera's look."""
    admin = house.signed_in(house.admin)
    house.door.open_address(admin, "rtsp://me:secret@192.0.2.99/stream")
    house.door.open_address(admin, "rtsp://me:secret@192.0.2.7/sub")
    first, second = house.looks()
    assert (first.camera, first.what) == (NO_CAMERA, "test of rtsp://192.0.2.99/stream")
    assert (house.gate, "test of rtsp://192.0.2.7/sub") == (second.camera, second.what)
    with pytest.raises(NotPermittedError):
        house.door.open_address(house.signed_in(house.viewer), "rtsp://192.0.2.99/stream")
    with pytest.raises(BeholdenError, match="cannot be used"):
        house.door.open_address(admin, "http://192.0.2.99/")


def test_nobody_else_makes_a_pass(house: Any) -> None:
    """It can be neither constructed, changed, copied nor pickled."""
    viewer = house.signed_in(house.admin)
    with pytest.raises(TypeError):
        Pass(object(), viewer, house.gate, Action.LIVE, 0, None, "live", 1)
    leave = house.door.open(viewer, house.gate, Action.LIVE, 0, None, "live")
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            attempt(leave)
    with pytest.raises(AttributeError):
        leave.camera = house.yard


def test_a_pass_is_for_what_it_names(house: Any) -> None:
    """Whoever serves bytes of another camera or another action with it is refused."""
    leave = house.door.open(house.signed_in(house.admin), house.gate, Action.STILL, 0, 0, "still")
    leave.require(house.gate)
    leave.require(house.gate, Action.PLAYBACK, Action.STILL)
    with pytest.raises(NotPermittedError):
        leave.require(house.yard)
    with pytest.raises(NotPermittedError):
        leave.require(house.gate, Action.PLAYBACK)


def test_memory_of_looks_is_bounded(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is forgotten is only written again."""
    monkeypatch.setattr("beholden.access.door._REMEMBERED", 2)
    door, admin = Door(house.catalog, house.clock), house.signed_in(house.admin)
    for start in (1, 2, 3, 1):
        door.open(admin, house.gate, Action.PLAYBACK, start, start + 1, f"main {start}-0")
    assert len(house.looks()) == 4
