"""`beholden status`, `events`, `check`, `version`, and the shape of the command line itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from beholden import __version__
from beholden.catalog import Catalog, gaps, segments
from beholden.catalog import events as catalog_events
from beholden.catalog.gaps import Gap
from beholden.catalog.segments import MediaFormat, Segment
from beholden.cli.events import parse_since
from beholden.cli.output import duration, size
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.event import Box, ObjectClass
from beholden.model.gap import GapCause
from beholden.model.segment import SegmentKey
from beholden.model.time import SystemClock, from_ms, to_rfc3339
from beholden.store.volume import Volume

HOUR_MS = 3_600_000
PLACE = Box(0.1, 0.1, 0.2, 0.2)


def _record(catalog: Catalog, volume: Volume, start_ms: int, data: bytes = b"footage " * 100) -> SegmentKey:
    """A recorded file of camera 1, a minute long, indexed."""
    import hashlib

    key = SegmentKey(1, StreamRole.MAIN, start_ms)
    fd = volume.create_exclusive(key)
    volume.write(fd, data)
    os.close(fd)
    form = MediaFormat(0, b"init", "h264", "avc1.640028", 1920, 1080, None, None, None)
    with catalog.write() as conn:
        form_id = segments.format_id(conn, form)
        digest = hashlib.sha256(data).digest()
        item = Segment(key, start_ms + 60_000, len(data), 1, form_id, False, digest, b"")
        segments.close_segment(conn, start_ms, item)
    return key


def _event(catalog: Catalog, start_ms: int, kind: ObjectClass = ObjectClass.PERSON, camera: int = 1) -> int:
    with catalog.write() as conn:
        event_id = catalog_events.start_event(conn, camera, kind, start_ms, 0.75, PLACE, start_ms)
        catalog_events.end_event(conn, event_id, start_ms + 5000)
    return event_id


def test_status_before_the_first_picture(beholden: Any, catalog: Catalog) -> None:
    """Every documented key is there, with nothing where nothing is."""
    assert beholden("status", "--json").json() == {
        "status": "stopped",
        "cameras": [
            {
                "id": 1,
                "name": "Gate",
                "state": "stopped",
                "reason": "The recorder does not run.",
                "next_step": "Start it with `beholden run`.",
                "last_fragment_age_seconds": None,
                "resting": False,
                "memory_bytes": 0,
                "memory_limit_bytes": None,
                "kept_seconds": 0.0,
                "bytes": 0,
                "oldest": None,
                "newest": None,
                "gaps": 0,
            }
        ],
        "roles": [],
    }


def test_status_counts_what_is_kept(beholden: Any, catalog: Catalog, volume: Volume) -> None:
    """Seconds, bytes and gaps come from the catalog; the file that is still open counts too."""
    start_ms = SystemClock().now_ms() - HOUR_MS
    _record(catalog, volume, start_ms, b"x" * 1000)
    with catalog.write() as conn:
        gaps.open_gap(
            conn, 0, Gap(1, StreamRole.MAIN, start_ms + 60_000, start_ms + 70_000, GapCause.CAMERA_LOST, "")
        )
    key = SegmentKey(1, StreamRole.MAIN, start_ms + 70_000)
    fd = volume.create_exclusive(key)
    volume.write(fd, b"y" * 500)
    os.close(fd)
    os.utime(volume.path_of(key), ns=((start_ms + 80_000) * 10**6,) * 2)
    (row,) = beholden("status", "--json").json()["cameras"]
    assert (row["kept_seconds"], row["bytes"], row["gaps"]) == (70.0, 1500, 1)
    assert (row["oldest"], row["newest"]) == (to_rfc3339(start_ms), to_rfc3339(start_ms + 80_000))
    assert 3500 < row["last_fragment_age_seconds"] < 4500
    assert "1.5 kB" in beholden("status").out


def test_events_come_newest_first_with_the_documented_keys(beholden: Any, catalog: Catalog) -> None:
    """Times are RFC 3339 with zone; an event that lasts has no end."""
    now = SystemClock().now_ms()
    older, newer = _event(catalog, now - 2 * HOUR_MS), _event(catalog, now - HOUR_MS, ObjectClass.CAR)
    with catalog.write() as conn:
        lasting = catalog_events.start_event(conn, 1, ObjectClass.PERSON, now, 0.5, PLACE, now)
    found = beholden("events", "--json").json()["events"]
    assert [event["id"] for event in found] == [lasting, newer, older]
    assert found[1] == {
        "id": newer,
        "camera": "Gate",
        "camera_id": 1,
        "class": "car",
        "start": to_rfc3339(now - HOUR_MS),
        "end": to_rfc3339(now - HOUR_MS + 5000),
        "score": 0.75,
        "rule": None,
        "rule_id": None,
        "what": None,
        "severity": "note",
        "detail": {},
    }
    assert found[0]["end"] is None
    assert "still there" in beholden("events").out


def test_events_can_be_chosen(beholden: Any, catalog: Catalog) -> None:
    """By camera, class and time, together."""
    now = SystemClock().now_ms()
    _event(catalog, now - 5 * HOUR_MS)
    wanted = _event(catalog, now - HOUR_MS)
    _event(catalog, now - HOUR_MS, ObjectClass.CAR)
    answer = beholden("events", "--json", "--camera", "Gate", "--class", "person", "--since", "2h")
    assert [event["id"] for event in answer.json()["events"]] == [wanted]
    instant = from_ms(now - 2 * HOUR_MS).isoformat()
    answer = beholden("events", "--json", "--class", "person", "--since", instant)
    assert [event["id"] for event in answer.json()["events"]] == [wanted]
    assert beholden("events", "--json", "--since", "1s").json() == {"events": []}


def test_many_events_are_all_listed(beholden: Any, catalog: Catalog) -> None:
    """Pages of the query are joined without loss or repeat, up to the limit."""
    with catalog.write() as conn:
        for number in range(1200):
            catalog_events.start_event(conn, 1, ObjectClass.PERSON, number // 3, 0.5, PLACE, 0)
    ids = [event["id"] for event in beholden("events", "--json", "--limit", "1150").json()["events"]]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 1150


def test_events_of_a_removed_camera_are_still_found(beholden: Any, catalog: Catalog) -> None:
    """By its last name: its footage is still kept."""
    wanted = _event(catalog, SystemClock().now_ms())
    beholden("camera", "remove", "Gate")
    answer = beholden("events", "--json", "--camera", "Gate")
    assert [event["id"] for event in answer.json()["events"]] == [wanted]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--class", "somebody"), "not a class"),
        (("--camera", "Nowhere"), "no camera 'Nowhere'"),
        (("--since", "yesterday"), "is not a time"),
        (("--since", "2026-11-23T22:15:00"), "has no time zone"),
        (("--since", "5 parsecs"), "is not a time"),
    ],
)
def test_a_bad_question_about_events_is_told(
    beholden: Any, catalog: Catalog, words: tuple[str, ...], said: str
) -> None:
    """In one sentence, exit code 1."""
    answer = beholden("events", "--json", *words)
    assert (answer.code, answer.out) == (1, "")
    assert said in answer.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 10**12 - 90_000),
        ("30min", 10**12 - 1_800_000),
        ("30m", 10**12 - 1_800_000),
        ("2h", 10**12 - 7_200_000),
        (" 3d ", 10**12 - 259_200_000),
        ("1w", 10**12 - 604_800_000),
        ("999999999d", 0),
        ("2001-09-09T01:46:40Z", 10**12),
        ("2001-09-09T03:46:40+02:00", 10**12),
    ],
)
def test_since_is_understood(text: str, expected: int) -> None:
    """So long ago, or an instant with its zone."""
    assert parse_since(text, 10**12) == expected


@pytest.mark.parametrize("text", ["", "h", "-2h", "2 years", "2026-13-01T00:00:00Z", "٣h"])
def test_since_refuses_the_rest(text: str) -> None:
    """Typed, with an example of what would do."""
    with pytest.raises(BeholdenError):
        parse_since(text, 10**12)


def test_check_finds_nothing_wrong_where_nothing_is(beholden: Any, catalog: Catalog, volume: Volume) -> None:
    """At every depth, exit code 0."""
    _record(catalog, volume, SystemClock().now_ms() - HOUR_MS)
    for depth in ("presence", "size", "hash"):
        answer = beholden("check", "--depth", depth, "--json")
        assert answer.code == 0
        assert answer.json() == {"depth": depth, "files": 1, "bytes": 800, "findings": []}


@pytest.mark.parametrize(
    ("harm", "found_at", "fault"),
    [
        ("missing", "presence", "missing"),
        ("longer", "size", "size"),
        ("changed", "hash", "hash"),
        ("unknown", "presence", "unknown"),
        ("unmounted", "presence", "volume"),
    ],
)
def test_check_finds_each_harm_at_its_depth(
    beholden: Any, catalog: Catalog, volume: Volume, harm: str, found_at: str, fault: str
) -> None:
    """And not below it; the file is named, and nothing is changed by looking."""
    start_ms = SystemClock().now_ms() - HOUR_MS
    path = volume.path_of(_record(catalog, volume, start_ms))
    if harm == "missing":
        path.unlink()
    elif harm == "longer":
        path.write_bytes(path.read_bytes() + b"x")
    elif harm == "changed":
        path.write_bytes(b"FOOTAGE " * 100)
    elif harm == "unknown":
        key = SegmentKey(1, StreamRole.MAIN, start_ms + 60_000)
        os.close(volume.create_exclusive(key))
        path = volume.path_of(key)
        os.utime(path, (start_ms / 1000, start_ms / 1000))
    else:
        (volume.path / ".beholden-volume").unlink()
        path = volume.path
    depths = ["presence", "size", "hash"]
    for depth in depths:
        answer = beholden("check", "--depth", depth, "--json")
        found = [(item["fault"], item["path"]) for item in answer.json()["findings"]]
        expected = [(fault, str(path))] if depths.index(depth) >= depths.index(found_at) else []
        assert (answer.code, found) == (int(bool(expected)), expected)


def test_check_refuses_an_unknown_depth(beholden: Any, catalog: Catalog) -> None:
    """With those there are."""
    answer = beholden("check", "--depth", "deep")
    assert answer.code == 1
    assert "presence, size, hash" in answer.err


def test_version_is_said(bare: Any) -> None:
    """For a person and for a script."""
    assert bare("version").out == f"beholden {__version__}\n"
    assert bare("version", "--json").json() == {"version": __version__}


@pytest.mark.parametrize(
    "words", [("nonsense",), ("camera", "add"), ("run", "--port", "many"), ("events", "--limit", "0")]
)
def test_wrong_usage_has_its_own_exit_code(bare: Any, words: tuple[str, ...]) -> None:
    """2, and standard output stays empty."""
    answer = bare(*words)
    assert (answer.code, answer.out) == (2, "")
    assert "Error" in answer.err


@pytest.mark.parametrize("name", ["catalog.db"])
@pytest.mark.parametrize("words", [("status",), ("camera", "list"), ("events",)])
def test_a_corrupt_catalog_is_one_sentence(
    beholden: Any, catalog: Catalog, data: Path, name: str, words: tuple[str, ...]
) -> None:
    """Not a traceback, and the damaged file is left as it is."""
    catalog.close()
    (data / name).write_bytes(b"this is no database" * 1000)
    answer = beholden(*words)
    assert (answer.code, answer.out) == (1, "")
    assert "damaged" in answer.err
    assert answer.err.count("\n") == 1
    assert (data / name).read_bytes().startswith(b"this is no database")


def test_the_installed_command_fails_without_a_traceback(tmp_path: Path) -> None:
    """The whole way: process, exit code, one line on standard error."""
    command = [sys.executable, "-m", "beholden", "status", "--json", "--data", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_help_imports_nothing_heavy() -> None:
    """Help must come at once on the smallest machine."""
    program = (
        "import sys, json; from beholden.cli.app import run; run(['--help']);"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {
        "sqlalchemy",
        "alembic",
        "numpy",
        "av",
        "cv2",
        "onnxruntime",
        "fastapi",
        "structlog",
        "rich",
        "pydantic",
    }
    assert heavy & set(json.loads(done.stderr)) == set()


def test_a_closed_pipe_is_no_fault(catalog: Catalog, data: Path) -> None:
    """`beholden events | head` ends quietly."""
    with catalog.write() as conn:
        for number in range(2000):
            catalog_events.start_event(conn, 1, ObjectClass.PERSON, number, 0.5, PLACE, 0)
    command = f"{sys.executable} -m beholden events --json --limit 2000 --data {data} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{\n", "")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3700, "1 h 1 min"), (86_400 * 3 + 7200 + 59, "3 d 2 h")],
)
def test_durations_are_short(seconds: float, shown: str) -> None:
    """The two largest units."""
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2 * 10**12, "2.0 TB")]
)
def test_sizes_are_decimal(count: int, shown: str) -> None:
    """As disks are sold."""
    assert size(count) == shown
