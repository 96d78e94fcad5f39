"""Somebody signed in."""

from __future__ import annotations

from dataclasses import dataclass

from beholden.model.access import Role


@dataclass(frozen=True, slots=True)
class Viewer:
    """An account acting through one session from one address.

    It says who, never what they may do: rights are read from the catalog each time they matter, so
    that a right taken away is gone at once.
    """

    user_id: int
    name: str
    role: Role
    session_id: int
    ip: str

    @property
    def is_admin(self) -> bool:
        """Whether the account may do everything and change settings."""
        return self.role is Role.ADMIN
