"""Sessions: only hashes stored, idle and absolute ends, ended at once."""

from __future__ import annotations

from typing import Any

import pytest

from beholden.access.links import link_path, make_link, use_link
from beholden.catalog import users

DAY = 86_400


def started(house: Any) -> Any:
    """A session of the administrator."""
    with house.catalog.read() as conn:
        return house.sessions.start(users.by_id(conn, house.admin), "192.0.2.50", "Firefox")


def test_the_token_is_nowhere_on_disk(house: Any) -> None:
    """What lies in the catalog cannot be used as a cookie."""
    token = started(house).token
    link = make_link(house.catalog, house.admin, 60, house.clock)
    house.catalog.close()
    for path in house.catalog.path.parent.iterdir():
        data = path.read_bytes()
        assert token.encode() not in data
        assert link.encode() not in data


def test_tokens_are_256_bits_and_never_repeat(house: Any) -> None:
    """43 characters of URL-safe base64."""
    tokens = {started(house).token for _ in range(50)}
    assert len(tokens) == 50
    assert {len(token) for token in tokens} == {43}


def test_a_session_is_found_by_its_token_alone(house: Any) -> None:
    """Another token, even by one character, is nobody."""
    session = started(house)
    found = house.sessions.find(session.token, "192.0.2.51")
    assert (house.admin, "192.0.2.51") == (found.user_id, found.ip)
    assert house.sessions.find(session.token[:-1] + ("A" if session.token[-1] != "A" else "B"), "") is None
    assert house.sessions.find("", "") is None
    assert house.sessions.find("\ud800", "") is None


def test_idle_for_seven_days_ends_it(house: Any) -> None:
    """Use keeps it alive, silence does not."""
    token = started(house).token
    for _ in range(3):
        house.clock.advance(6 * DAY)
        assert house.sessions.find(token, "") is not None
    house.clock.advance(7 * DAY)
    assert house.sessions.find(token, "") is None


def test_thirty_days_end_it_however_busy(house: Any) -> None:
    """Use does not carry it beyond."""
    token = started(house).token
    for _ in range(29):
        house.clock.advance(DAY)
        assert house.sessions.find(token, "") is not None
    house.clock.advance(DAY)
    assert house.sessions.find(token, "") is None


def test_ending_takes_effect_at_once_and_for_good(house: Any) -> None:
    """For requests and for long-lived views."""
    session = started(house)
    assert house.sessions.lives(session.viewer)
    assert house.sessions.end(session.viewer, session.viewer.session_id)
    assert house.sessions.find(session.token, "") is None
    assert not house.sessions.lives(session.viewer)
    assert not house.sessions.end(session.viewer, session.viewer.session_id)


def test_nobody_ends_a_session_of_somebody_else(house: Any) -> None:
    """Ids are small numbers; owning the account is what counts."""
    admin, viewer = house.signed_in(house.admin), house.signed_in(house.viewer)
    assert not house.sessions.end(viewer, admin.session_id)
    assert house.sessions.lives(admin)


@pytest.mark.parametrize("change", ["disabled", "demoted"])
def test_a_disabled_or_changed_account_has_no_live_views(house: Any, change: str) -> None:
    """What was opened as an administrator ends when the account is one no longer."""
    session = started(house)
    with house.catalog.write() as conn:
        if change == "disabled":
            users.set_disabled(conn, house.admin, True)
        else:
            conn.exec_driver_sql("UPDATE user_account SET role = 'viewer' WHERE id = ?", (house.admin,))
    assert not house.sessions.lives(session.viewer)
    assert (house.sessions.find(session.token, "") is None) == (change == "disabled")


def test_a_link_works_once_and_in_time(house: Any) -> None:
    """A second use, a late one, one of a disabled account and an invented one are refused."""
    link = make_link(house.catalog, house.admin, 60, house.clock)
    late = make_link(house.catalog, house.admin, 60, house.clock)
    assert use_link(house.catalog, link, house.clock).id == house.admin
    assert use_link(house.catalog, link, house.clock) is None
    house.clock.advance(60)
    assert use_link(house.catalog, late, house.clock) is None
    assert use_link(house.catalog, "invented", house.clock) is None
    last = make_link(house.catalog, house.admin, 60, house.clock)
    with house.catalog.write() as conn:
        users.set_disabled(conn, house.admin, True)
    assert use_link(house.catalog, last, house.clock) is None


def test_a_link_keeps_its_token_behind_the_hash_sign() -> None:
    """Browsers never send that part, so no log can hold it."""
    path, sign, rest = link_path("abc").partition("#")
    assert (path, sign, rest) == ("/sign-in", "#", "token=abc")
