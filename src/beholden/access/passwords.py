"""Passwords: Argon2id, at least twelve characters, and the same work for a name that does not exist."""

from __future__ import annotations

import threading
import unicodedata
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from beholden.model.errors import BeholdenError

SHORTEST = 12
LONGEST = 1024
# One hash needs 64 MiB for a tenth of a second. More at once would be a way to exhaust the machine.
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password is right, and whether its hash was made with weaker parameters than today's."""

    right: bool
    outdated: bool = False


class Passwords:
    """Makes and checks hashes. Safe to use from several threads, of which two hash at once.

    Parameters are argon2-cffi's, which follow RFC 9106 section 4 (the second recommended option).
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        # Nobody's: checked when there is no account or it has no password, so that time tells nothing.
        self._nobody = self._hasher.hash("\x00 no password is this")

    def make(self, password: str, user_name: str) -> str:
        """The hash to store; BeholdenError ``bad_password`` when it is too short, too long or the name."""
        check_choice(password, user_name)
        return self.renew(password)

    def renew(self, password: str) -> str:
        """The hash of a password in use already, with the parameters of today."""
        with self._turns:
            return self._hasher.hash(_normal(password))

    def check(self, stored: str | None, password: str) -> Verdict:
        """Compare in constant work; ``stored`` is None for an account without a password or no account."""
        try:
            with self._turns:
                self._hasher.verify(stored or self._nobody, _normal(password[:LONGEST]))
        except (VerificationError, InvalidHashError):
            return Verdict(right=False)
        if stored is None or len(password) > LONGEST:
            return Verdict(right=False)
        return Verdict(right=True, outdated=self._hasher.check_needs_rehash(stored))


def check_choice(password: str, user_name: str) -> None:
    """BeholdenError ``bad_password`` for a password nobody should choose."""
    if len(password) < SHORTEST:
        raise _bad(f"A password needs at least {SHORTEST} characters.", "Several words make a good one.")
    if len(password) > LONGEST:
        raise _bad(f"A password can have up to {LONGEST} characters.", "Choose a shorter one.")
    if _folded(password) == _folded(user_name):
        raise _bad("A password must not be the user name.", "Choose another.")
    if len(set(password)) < 3:
        raise _bad("A password needs more than two different characters.", "Choose another.")


def _normal(password: str) -> str:
    # The same keys give other code points on other systems; NIST SP 800-63B section 3.1.1.2.
    return unicodedata.normalize("NFKC", password)


def _folded(text: str) -> str:
    return _normal(text).strip().casefold()


def _bad(message: str, next_step: str) -> BeholdenError:
    return BeholdenError("bad_password", message, next_step)
