"""`beholden camera …`: adding, listing, changing, removing, and what is said of bad input."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from beholden.catalog import Catalog, cameras, journal
from beholden.catalog.secrets import SecretBox
from beholden.cli.camera.windows import parse_windows, show_windows
from beholden.model.camera import CameraConfig
from beholden.model.errors import BeholdenError

SECRET = "correct-horse-battery"


def _configs(catalog: Catalog, data: Path) -> list[CameraConfig]:
    with catalog.read() as conn:
        return cameras.present(conn, SecretBox.open(data))


def test_a_camera_can_be_added_before_the_first_start(beholden: Any, data: Path) -> None:
    """The directory is made, private, and the next step is told."""
    answer = beholden("camera", "add", "Gate", "rtsp://192.0.2.1/main")
    assert (answer.code, answer.err) == (0, "")
    assert "camera 1, Gate" in answer.out
    assert "beholden run" in answer.out
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_adding_keeps_every_choice(beholden: Any, data: Path) -> None:
    """Each option ends where it belongs; the password comes from standard input and is not echoed."""
    answer = beholden(
        "camera", "add", " Yard ", "rtsp://192.0.2.1/main", "--sub", "rtsp://192.0.2.1/sub", "--user", "cam",
        "--password-stdin", "--keep-days", "3.5", "--no-audio", "--no-record", "--analyse", "keyframes",
        "--json", stdin=SECRET + "\n",
    )  # fmt: skip
    assert answer.json() == {"id": 1, "name": "Yard"}
    (config,) = _configs(Catalog.open_existing(data), data)
    assert (config.main.url, config.main.username, config.main.password) == (
        "rtsp://192.0.2.1/main",
        "cam",
        SECRET,
    )
    assert config.sub is not None
    assert config.sub.url == "rtsp://192.0.2.1/sub"
    assert (config.keep_days, config.record_audio, config.record, config.analyse) == (
        3.5,
        False,
        False,
        "keyframes",
    )
    assert SECRET not in answer.out + answer.err


def test_a_password_in_the_address_is_taken_out_and_warned_of(beholden: Any, data: Path) -> None:
    """It works, as people paste such addresses, but it is never shown again."""
    answer = beholden("camera", "add", "Gate", f"rtsp://cam:{SECRET}@192.0.2.1/main")
    assert answer.code == 0
    assert "--password-stdin" in answer.err
    listed = beholden("camera", "list", "--json")
    assert SECRET not in answer.out + answer.err + listed.out
    (shown,) = listed.json()["cameras"]
    assert (shown["main_url"], shown["username"], shown["has_password"]) == (
        "rtsp://192.0.2.1/main",
        "cam",
        True,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("X", "http://192.0.2.1/mjpeg"), "begins with http://"),
        (("X", "192.0.2.1"), "begins with nothing://"),
        (("X", "rtsp:///main"), "names no host"),
        (("X", "rtsp://192.0.2.1:port/"), "not a URL"),
        (("", "rtsp://192.0.2.1/main"), "needs a name"),
        (("x" * 201, "rtsp://192.0.2.1/main"), "needs a name"),
        (("X", "rtsp://192.0.2.1/main", "--keep-days", "0"), "can be kept for"),
        (("X", "rtsp://192.0.2.1/main", "--keep-days", "nan"), "can be kept for"),
        (("X", "rtsp://192.0.2.1/main", "--analyse", "sometimes"), "analyse is one of"),
        (("X", "rtsp://192.0.2.1/main", "--mode", "sometimes"), "mode is one of"),
        (("X", "rtsp://192.0.2.1/main", "--transport", "pigeon"), "transport is one of"),
        (("X", "rtsp://192.0.2.1/main", "--max-size", "50 apples"), "not a size"),
        (("X", "rtsp://192.0.2.1/main", "--max-size", "1kB"), "at least 100 MB"),
        (("X", "rtsp://192.0.2.1/main", "--keep-event-days", "long"), "not a number of days"),
        (("X", "rtsp://192.0.2.1/main", "--window", "mon 8-18"), "not a recording window"),
        (("X", "rtsp://192.0.2.1/main", "--mode", "schedule", "--window", "none"), "records nothing"),
        (("X", "rtsp://192.0.2.1/main", "--sub", "ftp://192.0.2.1/"), "begins with ftp://"),
        (("Gate", "rtsp://192.0.2.1/main"), "named 'Gate' already"),
    ],
)
def test_a_bad_camera_is_refused_in_a_sentence(
    beholden: Any, catalog: Catalog, data: Path, words: tuple[str, ...], said: str
) -> None:
    """Exit code 1, one line on standard error, and the catalog as it was."""
    answer = beholden("camera", "add", *words)
    assert (answer.code, answer.out) == (1, "")
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert [config.name for config in _configs(catalog, data)] == ["Gate"]


def test_a_wrong_address_makes_no_directory(beholden: Any, data: Path) -> None:
    """What cannot be added leaves nothing behind."""
    assert beholden("camera", "add", "X", "http://192.0.2.1/").code == 1
    assert not data.exists()


def test_an_empty_password_is_refused(beholden: Any) -> None:
    """A pipe that gave nothing must not become a camera without a password."""
    answer = beholden("camera", "add", "X", "rtsp://192.0.2.1/", "--password-stdin", stdin="")
    assert answer.code == 1
    assert "No password was given" in answer.err


def test_listing_shows_names_and_addresses(beholden: Any, catalog: Catalog) -> None:
    """A person gets a table; a script the documented keys."""
    assert "Gate" in beholden("camera", "list").out
    (shown,) = beholden("camera", "list", "--json").json()["cameras"]
    assert shown == {
        "id": 1,
        "name": "Gate",
        "main_url": "rtsp://192.0.2.1/main",
        "sub_url": None,
        "username": "",
        "has_password": False,
        "enabled": True,
        "record": True,
        "record_audio": True,
        "analyse": "balanced",
        "transport": "auto",
        "certificate": "verify",
        "mode": "continuous",
        "pre_seconds": 5,
        "post_seconds": 10,
        "windows": [],
        "keep_days": 14.0,
        "keep_event_days": None,
        "max_days": None,
        "max_bytes": None,
        "memory_bytes": None,
        "listen": False,
        "detect_main": False,
    }


SETTINGS = (
    "--transport", "udp", "--certificate", "SHA256:" + "AB:" * 31 + "AB", "--mode", "schedule",
    "--pre-seconds", "7", "--post-seconds", "20",
    "--window", "mon-fri 08:00-18:00", "--window", "sat 22:00-06:00=events",
    "--keep-days", "10", "--keep-event-days", "60", "--max-days", "90", "--max-size", "50GB",
    "--memory", "32 MB", "--listen", "--detect-main",
)  # fmt: skip
KEPT = {
    "transport": "udp",
    "certificate": "sha256:" + "ab" * 32,
    "mode": "schedule",
    "pre_seconds": 7,
    "post_seconds": 20,
    "windows": ["mon-fri 08:00-18:00", "sat 22:00-24:00=events", "sun 00:00-06:00=events"],
    "keep_days": 10.0,
    "keep_event_days": 60.0,
    "max_days": 90.0,
    "max_bytes": 50_000_000_000,
    "memory_bytes": 32_000_000,
    "listen": True,
    "detect_main": True,
}


@pytest.mark.parametrize("words", [("add", "Yard", "rtsp://192.0.2.2/main"), ("change", "Gate")])
def test_adding_and_changing_take_the_same_settings(
    beholden: Any, catalog: Catalog, words: tuple[str, ...]
) -> None:
    """Each of them ends in the catalog, and the list shows them to scripts and people."""
    assert beholden("camera", *words, *SETTINGS).err == ""
    shown = beholden("camera", "list", "--json").json()["cameras"][-1]
    assert {name: shown[name] for name in KEPT} == KEPT
    table = beholden("camera", "list").out
    assert "mon-fri 08:00-18:00; sat 22:00-24:00=events" in table
    assert "10 days, events 60, at most 90, up to 50.0 GB" in table


def test_none_takes_a_limit_away(beholden: Any, catalog: Catalog) -> None:
    """Windows and limits can be given up again; what is recorded around events is told."""
    beholden("camera", "change", "Gate", *SETTINGS)
    limits = ("--keep-event-days", "--max-days", "--max-size", "--memory", "--window")
    words = [word for name in limits for word in (name, "none")]
    assert beholden("camera", "change", "Gate", *words, "--mode", "events").err == ""
    (shown,) = beholden("camera", "list", "--json").json()["cameras"]
    assert [shown[n] for n in ("keep_event_days", "max_days", "max_bytes", "memory_bytes")] == [None] * 4
    assert shown["windows"] == []
    assert "events, 7 s before to 20 s after" in beholden("camera", "list").out


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("daily 00:00-24:00", ["daily 00:00-24:00"]),
        ("fri-mon 8:30-9:05", ["mon,fri-sun 08:30-09:05"]),
        ("tue,thu 20:00-00:00=continuous", ["tue,thu 20:00-24:00"]),
        ("SUN 23:00-01:00 = events", ["mon 00:00-01:00=events", "sun 23:00-24:00=events"]),
    ],
)
def test_windows_are_read_as_people_write_them(text: str, shown: list[str]) -> None:
    """Over midnight and the end of the week, and what is shown reads back as the same."""
    found = parse_windows([text])
    assert show_windows(found) == shown
    assert parse_windows(shown) == found


@pytest.mark.parametrize(
    "text", ["", "mon", "08:00-18:00", "mon 08:60-18:00", "mon 25:00-26:00", "noday 08:00-18:00",
             "mon-x 1:00-2:00", "mon 08:00-18:00=sometimes", "mon 08:00-18:00 tue"],
)  # fmt: skip
def test_what_is_no_window_is_refused(text: str) -> None:
    """With the form it should have."""
    with pytest.raises(BeholdenError, match="not a recording window"):
        parse_windows([text])


def test_a_name_is_never_markup(beholden: Any, catalog: Catalog) -> None:
    """A name with brackets is shown as it is."""
    beholden("camera", "change", "Gate", "--name", "[red]Door[/red]")
    assert "[red]Door[/red]" in beholden("camera", "list").out


def test_changing_changes_only_what_was_given(beholden: Any, catalog: Catalog, data: Path) -> None:
    """By name or number; everything else stays."""
    (before,) = _configs(catalog, data)
    assert beholden("camera", "change", "Gate", "--keep-days", "2", "--no-audio", "--off").code == 0
    assert beholden("camera", "change", "1", "--sub", "rtsp://192.0.2.1/sub").code == 0
    (after,) = _configs(catalog, data)
    assert (after.keep_days, after.record_audio, after.enabled) == (2.0, False, False)
    assert after.sub is not None
    assert (after.name, after.main, after.record) == (before.name, before.main, before.record)
    assert after.rev > before.rev
    beholden("camera", "change", "1", "--sub", "", "--on")
    (last,) = _configs(catalog, data)
    assert (last.sub, last.enabled) == (None, True)


def test_a_password_can_be_changed(beholden: Any, catalog: Catalog, data: Path) -> None:
    """From standard input, and shown nowhere, the journal included."""
    answer = beholden("camera", "change", "Gate", "--user", "cam", "--password-stdin", stdin=SECRET + "\n")
    (config,) = _configs(catalog, data)
    assert (config.main.username, config.main.password) == ("cam", SECRET)
    with catalog.read() as conn:
        facts = [str(entry) for entry in journal.entries(conn)]
    assert SECRET not in answer.out + answer.err + "".join(facts)
    assert any("command line (" in fact for fact in facts)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Gate",), "Nothing was given to change"),
        (("Nobody", "--on"), "no camera 'Nobody'"),
        (("99", "--on"), "no camera"),
        (("Gate", "--url", "http://x/"), "begins with http://"),
        (("Gate", "--keep-days", "-1"), "can be kept for"),
    ],
)
def test_a_bad_change_is_refused(
    beholden: Any, catalog: Catalog, data: Path, words: tuple[str, ...], said: str
) -> None:
    """Nothing changes."""
    before = _configs(catalog, data)
    answer = beholden("camera", "change", *words)
    assert answer.code == 1
    assert said in answer.err
    assert _configs(catalog, data) == before


def test_removing_keeps_footage_unless_told(beholden: Any, catalog: Catalog, data: Path) -> None:
    """The days to keep stay, or become none; the name is free again."""
    assert beholden("camera", "remove", "Gate").code == 0
    assert beholden("camera", "add", "Gate", "rtsp://192.0.2.1/main").code == 0
    answer = beholden("camera", "remove", "2", "--delete-footage")
    assert "Its footage is deleted" in answer.out
    assert _configs(catalog, data) == []
    with catalog.read() as conn:
        assert cameras.keep_days(conn) == {1: 14.0, 2: 0.0}


def test_a_camera_that_is_gone_cannot_be_removed(beholden: Any, catalog: Catalog) -> None:
    """A second removal says so."""
    beholden("camera", "remove", "Gate")
    answer = beholden("camera", "remove", "Gate")
    assert answer.code == 1
    assert "no camera 'Gate'" in answer.err


@pytest.mark.parametrize(
    "words",
    [("camera", "list"), ("camera", "remove", "1"), ("status",), ("events",), ("check",), ("user", "list")],
)
def test_a_directory_without_a_catalog_is_told(beholden: Any, data: Path, words: tuple[str, ...]) -> None:
    """A mistyped --data is not made into a new site."""
    answer = beholden(*words)
    assert (answer.code, answer.out) == (1, "")
    assert "There is no catalog in" in answer.err
    assert not data.exists()
