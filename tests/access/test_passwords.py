"""Passwords: Argon2id, length, no name as password, the same work for a stranger."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st

from beholden.access.passwords import LONGEST, Passwords
from beholden.model.errors import BeholdenError

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class CountingHasher(PasswordHasher):
    """Counts comparisons."""

    compared = 0

    def verify(self, hash, password):  # type: ignore[no-untyped-def]
        type(self).compared += 1
        return super().verify(hash, password)


def test_the_default_is_argon2id_with_the_parameters_of_rfc_9106() -> None:
    """64 MiB and three passes: the second recommended option."""
    assert Passwords().make("correct horse battery", "admin").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_right_and_wrong() -> None:
    """A password opens its own hash and no other's."""
    passwords = Passwords(QUICK)
    stored = passwords.make("correct horse battery", "admin")
    assert passwords.check(stored, "correct horse battery").right
    assert not passwords.check(stored, "correct horse batterz").right
    assert not passwords.check(stored, "").right


@pytest.mark.parametrize(
    "password",
    [
        "elevenchars",
        "short",
        "",
        "administrator",
        "ADMINISTRATOR",
        " Administrator ",
        "a" * 40,
        "ab" * 20,
        "x1y" * 400,
    ],
)
def test_bad_choices_are_refused_with_a_reason(password: str) -> None:
    """Too short, too long, the user's name, or hardly any characters; never repeated in the text."""
    with pytest.raises(BeholdenError) as refused:
        Passwords(QUICK).make(password, "Administrator")
    assert refused.value.code == "bad_password"
    assert refused.value.next_step
    assert not password.strip() or password not in str(refused.value)


def test_a_stranger_costs_as_much_work_as_a_known_name() -> None:
    """An account that is not there, or has no password, is compared against a hash all the same."""
    hasher = CountingHasher(time_cost=1, memory_cost=8, parallelism=1)
    passwords = Passwords(hasher)
    CountingHasher.compared = 0
    assert not passwords.check(None, "correct horse battery").right
    assert not passwords.check(None, "\x00 no password is this").right
    assert CountingHasher.compared == 2


def test_a_hash_made_with_weaker_parameters_is_outdated() -> None:
    """It still opens, and says that it should be made again."""
    stored = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse battery")
    verdict = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)).check(
        stored, "correct horse battery"
    )
    assert verdict.right
    assert verdict.outdated


def test_the_same_keys_on_another_system_are_the_same_password() -> None:
    """Composed and decomposed umlauts are one password."""
    passwords = Passwords(QUICK)
    stored = passwords.make("gr\u00fcne \u00c4pfel essen", "admin")
    assert passwords.check(stored, "gru\u0308ne A\u0308pfel essen").right


@pytest.mark.parametrize("stored", ["", "nonsense", "$argon2id$v=19$broken", "$2b$12$abcdefghijklmnopqrstuv"])
def test_a_damaged_hash_opens_for_nobody(stored: str) -> None:
    """And does not raise."""
    assert not Passwords(QUICK).check(stored, "correct horse battery").right


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=12, max_size=LONGEST))
def test_every_password_that_may_be_chosen_opens(password: str) -> None:
    """Whatever characters it has."""
    passwords = Passwords(QUICK)
    try:
        stored = passwords.make(password, "admin")
    except BeholdenError:
        return
    assert passwords.check(stored, password).right
