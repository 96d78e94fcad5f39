"""Asking for a password so that it is seen nowhere."""

from __future__ import annotations

import getpass
import sys

from beholden.model.errors import BeholdenError


def read_password(prompt: str) -> str:
    """One line of standard input, without echo at a terminal; BeholdenError when it is empty."""
    if sys.stdin.isatty():
        password = getpass.getpass(f"{prompt}: ")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise BeholdenError("no_password", "No password was given.", "Give it on one line of standard input.")
    return password


def choose_password(prompt: str) -> str:
    """A new password: asked for twice at a terminal, read once from elsewhere."""
    password = read_password(prompt)
    if sys.stdin.isatty() and getpass.getpass("The same again: ") != password:
        raise BeholdenError("passwords_differ", "The two passwords differ.", "Try again.")
    return password
