"""Signing in: the same words for every refusal, a pace for guessers, no lock-out of those who know."""

from __future__ import annotations

from typing import Any

import pytest
from argon2 import PasswordHasher

from beholden.access.links import make_link
from beholden.access.passwords import Passwords
from beholden.access.refusal import SignInRefusedError, TooManyAttemptsError
from beholden.access.sign_in import SignIn
from beholden.access.throttle import ADDRESS_PACE, Throttle
from beholden.catalog import users
from beholden.model.errors import BeholdenError

PASSWORD = "correct horse battery"


def guess(house: Any, ip: str, name: str = "admin", password: str = "wrong horse battery") -> str:
    """One attempt; what became of it."""
    try:
        house.sign_in.by_password(name, password, ip, "test")
    except BeholdenError as error:
        return error.code
    return "in"


def test_every_refusal_says_the_same(house: Any) -> None:
    """No such name, no password chosen, disabled, wrong password: one sentence."""
    with house.catalog.write() as conn:
        users.set_disabled(conn, house.admin, True)
    told = set()
    for name, password in (("admin", PASSWORD), ("nobody", PASSWORD), ("viewer", PASSWORD), ("viewer", "")):
        with pytest.raises(SignInRefusedError) as refused:
            house.sign_in.by_password(name, password, "192.0.2.1", "")
        told.add(str(refused.value))
    assert len(told) == 1


def test_a_guesser_is_slowed_and_the_owner_at_another_desk_is_not(house: Any) -> None:
    """After some failures an address waits; the person who signed in from elsewhere before walks in."""
    assert guess(house, "192.0.2.10", password=PASSWORD) == "in"
    told = [guess(house, "203.0.113.5") for _ in range(30)]
    assert told[: ADDRESS_PACE.free] == ["sign_in_refused"] * ADDRESS_PACE.free
    assert set(told[ADDRESS_PACE.free :]) == {"too_many_attempts"}
    assert guess(house, "203.0.113.5", password=PASSWORD) == "too_many_attempts"
    assert guess(house, "192.0.2.10", password=PASSWORD) == "in"


def test_many_addresses_guessing_one_name_are_slowed_together(house: Any) -> None:
    """A thousand addresses are not a thousand times eight guesses; other names are not touched."""
    told = [guess(house, f"203.0.113.{number}") for number in range(60)]
    assert told.count("sign_in_refused") == 8
    assert guess(house, "203.0.113.99", name="viewer") == "sign_in_refused"


def test_the_wait_is_told_and_passes(house: Any) -> None:
    """It doubles, is bounded, and after it a right password is right."""
    for _ in range(ADDRESS_PACE.free):
        guess(house, "203.0.113.5")
    waits = []
    for _ in range(12):
        with pytest.raises(TooManyAttemptsError) as slowed:
            house.sign_in.by_password("admin", "wrong", "203.0.113.5", "")
        waits.append(slowed.value.wait_seconds)
        house.clock.advance(slowed.value.wait_seconds)
        assert guess(house, "203.0.113.5") == "sign_in_refused"
    assert waits[0] <= 2
    assert waits == sorted(waits)
    assert waits[-1] <= ADDRESS_PACE.longest + 1
    house.clock.advance(ADDRESS_PACE.longest)
    assert guess(house, "203.0.113.5", password=PASSWORD) == "in"


def test_attempts_at_the_same_moment_gain_nothing(house: Any) -> None:
    """An attempt counts from its beginning, before anybody knows whether it is right."""
    for _ in range(ADDRESS_PACE.free):
        house.throttle.begin("admin", "203.0.113.5")
    with pytest.raises(TooManyAttemptsError):
        house.throttle.begin("admin", "203.0.113.5")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.5", "203.0.113.5", True),
        ("203.0.113.5", "203.0.113.6", False),
    ],
)
def test_addresses_of_one_customer_count_together(house: Any, one: str, other: str, same: bool) -> None:
    """An IPv6 customer has a whole /64 to guess from."""
    for _ in range(ADDRESS_PACE.free):
        house.throttle.begin("", one)
    if same:
        with pytest.raises(TooManyAttemptsError):
            house.throttle.begin("", other)
    else:
        house.throttle.begin("", other)


def test_memory_of_guessers_is_bounded(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inventing names does not fill the machine."""
    monkeypatch.setattr("beholden.access.throttle._ENTRIES", 50)
    throttle = Throttle(house.clock)
    for number in range(500):
        throttle.begin(f"name {number}", f"10.0.{number // 250}.{number % 250}")
        throttle.succeed(f"name {number}", f"10.0.{number // 250}.{number % 250}")
    assert len(throttle._counts) <= 50
    assert len(throttle._known) <= 50


def test_a_link_signs_in_while_a_name_is_under_attack(house: Any) -> None:
    """It is the way back in: 256 bits need no protection of a name."""
    for number in range(60):
        guess(house, f"203.0.113.{number}")
    token = make_link(house.catalog, house.admin, 60, house.clock)
    assert house.sign_in.by_link(token, "192.0.2.77", "").viewer.user_id == house.admin
    with pytest.raises(SignInRefusedError):
        house.sign_in.by_link(token, "192.0.2.77", "")


def test_an_outdated_hash_is_made_again_at_sign_in(house: Any) -> None:
    """Parameters rise over the years; nobody has to choose a new password for it."""
    stronger = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    sign_in = SignIn(house.catalog, house.clock, house.sessions, stronger, house.throttle)
    sign_in.by_password("admin", PASSWORD, "192.0.2.1", "")
    with house.catalog.read() as conn:
        stored = users.by_id(conn, house.admin).password_hash
    assert "m=16,t=2" in stored
    assert stronger.check(stored, PASSWORD) == stronger.check(stored, PASSWORD).__class__(True, False)


def test_a_new_password_ends_all_other_sessions(house: Any) -> None:
    """Whoever stole a cookie before is out; the one who changed it stays in."""
    here, there = house.signed_in(house.admin), house.signed_in(house.admin)
    house.sign_in.choose_password(here, PASSWORD, "a much better password")
    assert house.sessions.lives(here)
    assert not house.sessions.lives(there)
    assert guess(house, "192.0.2.1", password=PASSWORD) == "sign_in_refused"
    assert guess(house, "192.0.2.1", password="a much better password") == "in"


def test_the_current_password_is_needed_once_there_is_one(house: Any) -> None:
    """An unlocked desk is not enough to take an account over; the first choice needs none."""
    admin, viewer = house.signed_in(house.admin), house.signed_in(house.viewer)
    for current in (None, "", "wrong horse battery"):
        with pytest.raises(BeholdenError, match="current password"):
            house.sign_in.choose_password(admin, current, "a much better password")
    house.sign_in.choose_password(viewer, None, "a much better password")
    with pytest.raises(BeholdenError, match="current password"):
        house.sign_in.choose_password(viewer, None, "yet another password")
