"""Errors a person may see: what happened, why, and the next step, in one sentence each."""

from __future__ import annotations


class BeholdenError(Exception):
    """An expected failure, told in plain words.

    ``code`` is a stable snake_case name (used by the API and by troubleshooting pages),
    ``message`` says what happened and why, ``next_step`` what the reader can do about it.
    Neither may contain a password.
    """

    def __init__(self, code: str, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()
