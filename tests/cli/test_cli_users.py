"""`beholden user …`: accounts, links, rights, and the last administrator."""

from __future__ import annotations

from typing import Any

import pytest

from beholden.access.links import use_link
from beholden.access.passwords import Passwords
from beholden.bus.paths import run_dir
from beholden.catalog import Catalog, sessions, users
from beholden.catalog.users import User
from beholden.model.access import Role
from beholden.model.time import SystemClock
from beholden.run.ready import forget_address, note_address

SECRET = "correct horse battery"


def _user(catalog: Catalog, name: str) -> User | None:
    with catalog.read() as conn:
        return users.by_name(conn, name)


def test_an_account_without_a_password_gets_a_link(beholden: Any, catalog: Catalog) -> None:
    """The link stands alone on its line and works once."""
    answer = beholden("user", "add", "eve")
    (link,) = [line for line in answer.out.splitlines() if line.startswith("http")]
    token = link.partition("#token=")[2]
    signed_in = use_link(catalog, token, SystemClock())
    assert signed_in is not None
    assert (signed_in.name, signed_in.role) == ("eve", Role.VIEWER)
    assert use_link(catalog, token, SystemClock()) is None


def test_an_account_can_have_a_password_at_once(beholden: Any, catalog: Catalog) -> None:
    """From standard input; neither it nor a link is printed."""
    answer = beholden("user", "add", "eve", "--role", "admin", "--password-stdin", stdin=SECRET + "\n")
    assert answer.code == 0
    assert "http" not in answer.out
    assert SECRET not in answer.out + answer.err
    found = _user(catalog, "eve")
    assert found is not None
    assert found.role is Role.ADMIN
    assert Passwords().check(found.password_hash, SECRET).right


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (("eve", "--role", "owner"), "", "not a role"),
        (("eve", "--password-stdin"), "short\n", "at least 12 characters"),
        (("eve", "--password-stdin"), "", "No password was given"),
        ((" ",), "", "needs a name"),
        (("taken",), "", "named 'taken' already"),
    ],
)
def test_a_bad_account_is_refused(
    beholden: Any, catalog: Catalog, words: tuple[str, ...], stdin: str, said: str
) -> None:
    """In a sentence, and no account is made."""
    beholden("user", "add", "taken")
    answer = beholden("user", "add", *words, stdin=stdin)
    assert answer.code == 1
    assert said in answer.err
    with catalog.read() as conn:
        assert users.count(conn) == 1


def test_a_new_password_ends_all_sessions(beholden: Any, catalog: Catalog) -> None:
    """Whoever knew the old one is out."""
    beholden("user", "add", "eve")
    eve = _user(catalog, "eve")
    assert eve is not None
    now = SystemClock().now_ms()
    with catalog.write() as conn:
        sessions.add(conn, now, b"t" * 32, eve.id, now + 3_600_000, "192.0.2.9", "a browser")
    answer = beholden("user", "password", "eve", "--password-stdin", stdin=SECRET + "\n")
    assert answer.code == 0
    assert "1 session" in answer.out
    with catalog.read() as conn:
        assert sessions.of_user(conn, eve.id, now) == []
    changed = _user(catalog, "eve")
    assert changed is not None
    assert Passwords().check(changed.password_hash, SECRET).right


def test_a_password_is_not_asked_for_without_a_terminal(beholden: Any, catalog: Catalog) -> None:
    """A script that forgot the option is told, and does not hang."""
    beholden("user", "add", "eve")
    answer = beholden("user", "password", "eve", stdin=SECRET + "\n")
    assert answer.code == 1
    assert "--password-stdin" in answer.err


def test_a_link_can_be_had_again(beholden: Any, catalog: Catalog) -> None:
    """For a forgotten password; for a name that is not there, a sentence."""
    beholden("user", "add", "eve", "--password-stdin", stdin=SECRET + "\n")
    assert "#token=" in beholden("user", "link", "eve").out
    answer = beholden("user", "link", "adam")
    assert (answer.code, "no user 'adam'" in answer.err) == (1, True)


def test_a_link_leads_to_the_node_that_runs(beholden: Any, catalog: Catalog) -> None:
    """Its real address while it runs; the configured one when it does not."""
    state = run_dir(catalog.path.parent)
    beholden("user", "add", "eve")
    note_address(state, "http://127.0.0.1:9123")
    assert "http://127.0.0.1:9123/sign-in#token=" in beholden("user", "link", "eve").out
    forget_address(state)
    assert "http://127.0.0.1:8484/sign-in#token=" in beholden("user", "link", "eve").out


def test_rights_are_given_and_taken(beholden: Any, catalog: Catalog) -> None:
    """By camera and action; all actions but seeing people clear when none is named."""
    beholden("user", "add", "eve")
    assert beholden("user", "grant", "eve", "--camera", "Gate", "--action", "live").code == 0
    assert beholden("user", "grant", "eve", "--camera", "all").code == 0
    assert beholden("user", "grant", "eve", "--camera", "all", "--action", "download", "--revoke").code == 0
    (shown,) = beholden("user", "list", "--json").json()["users"]
    assert shown["grants"] == [
        {"camera": None, "action": "live"},
        {"camera": None, "action": "playback"},
        {"camera": None, "action": "still"},
        {"camera": 1, "action": "live"},
    ]
    assert "Gate: live" in beholden("user", "list").out
    assert beholden("user", "grant", "eve", "--camera", "all", "--action", "clear").code == 0
    assert beholden("user", "grant", "eve", "--camera", "all", "--revoke").code == 0
    (shown,) = beholden("user", "list", "--json").json()["users"]
    assert shown["grants"] == [{"camera": 1, "action": "live"}]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("eve", "--camera", "Nowhere"), "no camera 'Nowhere'"),
        (("eve", "--camera", "all", "--action", "delete"), "not an action"),
        (("adam", "--camera", "all"), "no user 'adam'"),
    ],
)
def test_a_bad_grant_is_refused(beholden: Any, catalog: Catalog, words: tuple[str, ...], said: str) -> None:
    """No right is given by half."""
    beholden("user", "add", "eve")
    answer = beholden("user", "grant", *words)
    assert answer.code == 1
    assert said in answer.err
    eve = _user(catalog, "eve")
    assert eve is not None
    assert eve.grants == frozenset()


def test_removing_an_account_ends_everything_of_it(beholden: Any, catalog: Catalog) -> None:
    """Its sessions too; its name is free again."""
    beholden("user", "add", "boss", "--role", "admin")
    beholden("user", "add", "eve")
    eve = _user(catalog, "eve")
    assert eve is not None
    with catalog.write() as conn:
        sessions.add(conn, 0, b"t" * 32, eve.id, 1, "192.0.2.9", "a browser")
    assert beholden("user", "remove", "eve").code == 0
    assert _user(catalog, "eve") is None
    with catalog.read() as conn:
        assert sessions.by_token(conn, b"t" * 32) is None
    assert beholden("user", "add", "eve").code == 0


def test_the_last_administrator_stays(beholden: Any, catalog: Catalog) -> None:
    """Otherwise nobody could change anything any more."""
    beholden("user", "add", "boss", "--role", "admin")
    answer = beholden("user", "remove", "boss")
    assert answer.code == 1
    assert "last administrator" in answer.err
    assert _user(catalog, "boss") is not None
