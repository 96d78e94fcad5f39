"""Health: every problem a sentence with a next step, forecasts from what cameras write."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from beholden.bus.paths import run_dir
from beholden.catalog import cameras, segments, volumes
from beholden.catalog.cameras import NewCamera
from beholden.catalog.segments import DAY_MS, Kept, MediaFormat, Segment
from beholden.catalog.volumes import VolumeRow
from beholden.model.camera import CameraConfig, RecordingMode, StreamRole
from beholden.model.segment import SegmentKey
from beholden.model.time import to_rfc3339
from beholden.store.volume import Volume
from beholden.web import problems
from beholden.web.forecast import Forecast, Promise, Shelf, bytes_per_day, forecast, promises
from beholden.web.problems import Disk, days
from beholden.web.processes import RoleRow, Usage, read_roles, show_roles
from beholden.web.stats import Snapshot

NOW = 1_767_225_600_000
GB = 10**9


@pytest.fixture
def camera(site: Any) -> CameraConfig:
    """The camera ``gate``."""
    with site.catalog.read() as conn:
        return cameras.get(conn, None, site.gate)


def snapshot(camera: CameraConfig, **row: Any) -> Snapshot:
    """Everything answers; the camera's main stream says this."""
    whole = {"camera": camera.id, "stream": "main", "state": "live", "since_ms": NOW - 60_000, **row}
    return Snapshot({(camera.id, "main"): whole}, {0: {}}, {}, {}, {"name": "nanodet"})


def test_a_quiet_site_has_no_problems(camera: CameraConfig) -> None:
    """All answer, all deliver."""
    seen = snapshot(camera)
    assert list(problems.of_roles([], seen, [camera])) == []
    assert list(problems.of_cameras([camera], seen, NOW)) == []


def test_a_silent_recorder_is_one_alarm_not_one_for_each_camera(camera: CameraConfig) -> None:
    """With why the supervisor thinks so, when it does."""
    others = [replace(camera, id=number) for number in range(2, 9)]
    dead = RoleRow("recorder", 0, None, "waiting", None, 9, "it was killed by signal 9.")
    found = [
        *problems.of_roles([dead], Snapshot(analyser={}), [camera, *others]),
        *problems.of_cameras([camera, *others], Snapshot(analyser={}), NOW),
    ]
    assert [problem.level for problem in found] == ["alarm"]
    assert "recorder 0 does not answer (it was killed by signal 9)" in found[0].sentence
    assert found[0].next_step


@pytest.mark.parametrize(("analyse", "alarms"), [("always", 1), ("off", 0)])
def test_a_dead_analyser_is_an_alarm_when_something_is_to_be_analysed(
    camera: CameraConfig, analyse: str, alarms: int
) -> None:
    """And it says that recording goes on."""
    found = list(problems.of_roles([], Snapshot({}, {0: {}}), [replace(camera, analyse=analyse)]))
    assert len(found) == alarms
    assert all("recording goes on" in problem.sentence for problem in found)


@pytest.mark.parametrize(
    ("row", "alarms"),
    [
        ({"state": "offline", "reason": "It cannot be reached.", "next_step": "Check its cable."}, 1),
        ({"state": "stalled", "reason": "", "next_step": "x"}, 1),
        ({"state": "connecting", "since_ms": NOW - 1000}, 0),
        ({"state": "connecting", "since_ms": NOW - 60_000}, 1),
        ({"state": "live"}, 0),
    ],
)
def test_a_camera_that_does_not_deliver_is_an_alarm(
    camera: CameraConfig, row: dict[str, Any], alarms: int
) -> None:
    """By name, in the recorder's words; one that has just begun is given some seconds."""
    found = list(problems.of_cameras([camera], snapshot(camera, **row), NOW))
    assert len(found) == alarms
    assert all(problem.camera == camera.id and problem.sentence.startswith("gate: ") for problem in found)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("quiet", ""),
        ("full_rate", ""),
        ("overloaded", "only its keyframes"),
        ("quarantined", "Decoding failed"),
    ],
)
def test_less_seen_than_asked_for_is_a_warning(camera: CameraConfig, state: str, told: str) -> None:
    """By name, with what to do; how a camera normally changes its pace is no problem."""
    seen = Snapshot(analysis={camera.id: {"state": state, "reason": "Decoding failed repeatedly."}})
    found = list(problems.of_analysis([camera], seen))
    assert [problem.level for problem in found] == (["warning"] if told else [])
    assert all(told in problem.sentence and problem.sentence.startswith("gate: ") for problem in found)


def test_a_camera_switched_off_is_no_problem(camera: CameraConfig) -> None:
    """It was meant."""
    off = replace(camera, enabled=False)
    assert list(problems.of_cameras([off], snapshot(off, state="stopped"), NOW)) == []
    assert list(problems.of_roles([], Snapshot(), [off])) == []


@pytest.mark.parametrize(("offset", "word"), [(9000, "ahead"), (-9000, "behind")])
def test_a_wrong_clock_is_a_warning(camera: CameraConfig, offset: int, word: str) -> None:
    """Its burnt-in time is wrong, its recordings are not."""
    found = list(problems.of_cameras([camera], snapshot(camera, clock_offset_ms=offset), NOW))
    assert [problem.level for problem in found] == ["warning"]
    assert f"9 s {word}" in found[0].sentence


def kept(gigabytes_a_day: float, footage_days: float = 2.0) -> Kept:
    """What a camera has written."""
    return Kept(0, 1, round(footage_days * DAY_MS), round(gigabytes_a_day * GB * footage_days), 100)


def shelf(footage: int, free: int, floor: int = 0, **settings: Any) -> Shelf:
    """A volume, sizes in GB."""
    return Shelf(VolumeRow(1, "u", "/srv", floor * GB, **settings), footage * GB, free * GB)


def alone(one: Shelf, pairs: list[tuple[CameraConfig, Kept]]) -> Forecast:
    """The forecast for the only volume there is."""
    return forecast(one, [one], pairs)


def test_the_forecast_is_capacity_over_what_cameras_write(camera: CameraConfig) -> None:
    """10 GB a day on 100 GB: ten days; of which eight are free, so it is full in eight."""
    expected = alone(shelf(20, 82, 2), [(camera, kept(10))])
    assert (expected.kept_days, expected.full_in_days) == (pytest.approx(10), pytest.approx(8))


def test_a_limit_is_capacity_too(camera: CameraConfig) -> None:
    """50 GB of a disk with a terabyte: five days, three of them still to come."""
    expected = alone(shelf(20, 1000, limit_bytes=50 * GB), [(camera, kept(10))])
    assert (expected.kept_days, expected.full_in_days) == (pytest.approx(5), pytest.approx(3))


def test_what_fits_is_never_full(camera: CameraConfig) -> None:
    """Retention by age frees space before the floor is reached."""
    expected = alone(shelf(20, 200, 2), [(camera, kept(10))])
    assert expected.kept_days == pytest.approx(21.8)
    assert expected.full_in_days is None


def test_a_fast_tier_need_only_hold_what_does_not_move(camera: CameraConfig) -> None:
    """Of 14 days it keeps the newest three; the slow one holds the eleven others, or is said to be full."""
    pairs = [(camera, kept(10))]
    fast = shelf(20, 15, move_after_days=3.0)
    slow = replace(shelf(0, 100), volume=VolumeRow(2, "v", "/slow", 0, 1))
    assert forecast(fast, [fast, slow], pairs).full_in_days is None
    assert forecast(slow, [fast, slow], pairs).full_in_days == pytest.approx(10)
    assert alone(fast, pairs).full_in_days == pytest.approx(1.5)


def test_too_little_footage_gives_no_forecast(camera: CameraConfig) -> None:
    """Nor does a camera that is not recorded; no number is better than an invented one."""
    one = shelf(0, 100)
    assert alone(one, [(camera, kept(10, 0.001))]) == Forecast(None, None)
    off = replace(camera, record=False)
    assert alone(one, [(off, kept(10))]) == Forecast(None, None)
    assert alone(one, []) == Forecast(None, None)
    assert promises([one], [(off, kept(10))]) == {off.id: Promise(None, None)}


def test_a_promise_breaks_when_all_storage_is_full(camera: CameraConfig) -> None:
    """14 days at 10 GB a day on 60 + 40 GB: ten fit, and with two kept the store is full in eight."""
    second = replace(shelf(0, 40), volume=VolumeRow(2, "v", "/slow", 0, 1))
    found = promises([shelf(20, 40), second], [(camera, kept(10))])[camera.id]
    assert (found.kept_days, found.breaks_in_days) == (pytest.approx(10), pytest.approx(8))


def test_those_who_promise_the_longest_break_first(camera: CameraConfig) -> None:
    """Space is taken from the oldest: one that keeps three days is not touched by one that wants fourteen."""
    short = replace(camera, id=2, keep_days=3.0)
    found = promises([shelf(40, 60)], [(camera, kept(10)), (short, kept(10))])
    assert (found[2].kept_days, found[2].breaks_in_days) == (3.0, None)
    assert found[camera.id].kept_days == pytest.approx(7)
    assert found[camera.id].breaks_in_days == pytest.approx(5)


def test_a_cameras_share_breaks_its_own_promise_only(camera: CameraConfig) -> None:
    """50 GB for one that writes ten a day: five days, three from now; the other has room now."""
    small = replace(camera, id=2, max_bytes=50 * GB)
    found = promises([shelf(40, 200)], [(camera, kept(10)), (small, kept(10))])
    assert found[camera.id] == Promise(14.0, None)
    assert (found[2].kept_days, found[2].breaks_in_days) == (pytest.approx(5), pytest.approx(3))


def test_footage_of_others_takes_room_from_the_promise(camera: CameraConfig) -> None:
    """What removed cameras left is on the disk too."""
    found = promises([shelf(50, 50)], [(camera, kept(10))])[camera.id]
    assert found.kept_days == pytest.approx(7)


def test_one_that_records_on_events_is_forecast_as_it_was(camera: CameraConfig) -> None:
    """Two days of footage over ten: a fifth of its bytes a day."""
    sparse = Kept(0, 10 * DAY_MS, 2 * DAY_MS, 20 * GB, 100)
    assert bytes_per_day(camera, sparse) == pytest.approx(10 * GB)
    on_events = replace(camera, mode=RecordingMode.EVENTS)
    assert bytes_per_day(on_events, sparse) == pytest.approx(2 * GB)


def test_a_broken_promise_is_told_before_it_breaks(camera: CameraConfig) -> None:
    """By camera and date in site time; many cameras in one sentence; one broken now says so."""
    broken = {camera.id: Promise(10.0, 8.0)}
    (found,) = problems.of_promises(broken, [camera], NOW, "Europe/Oslo")
    assert found.level == "warning"
    assert found.camera == camera.id
    assert "gate: The promise of 14 days breaks on 2026-01-09: about 10 days fit" in found.sentence
    (now,) = problems.of_promises({camera.id: Promise(2.0, 0.0)}, [camera], NOW, "UTC")
    assert "is broken now" in now.sentence
    many = [replace(camera, id=number) for number in range(1, 9)]
    (one,) = problems.of_promises({c.id: Promise(10.0, 3.0 + c.id) for c in many}, many, NOW, "UTC")
    assert "breaks on 2026-01-05 for 8 cameras" in one.sentence
    assert one.camera is None
    assert list(problems.of_promises({camera.id: Promise(14.0, None)}, [camera], NOW, "UTC")) == []


@pytest.mark.parametrize(
    ("state", "expected", "level", "words"),
    [
        ("missing", Forecast(None, None), "alarm", "is not there"),
        ("low", Forecast(1.0, 0.0), "alarm", "deleted early"),
        ("ok", Forecast(3.0, 1.0), "warning", "full in about 1 day: it holds about 3 days"),
        ("ok", Forecast(3.0, 0.0), "warning", "is full: it holds about 3 days"),
        ("ok", Forecast(30.0, None), None, ""),
    ],
)
def test_storage_problems(
    camera: CameraConfig, state: Any, expected: Forecast, level: str, words: str
) -> None:
    """Gone, under its floor, too small for the promise, or fine."""
    disk = Disk(VolumeRow(1, "u", "/srv/footage", 2 * GB), 100 * GB, GB, 50 * GB, state, expected)
    found = list(problems.of_disks([disk], [camera]))
    assert [problem.level for problem in found] == ([level] if level else [])
    assert all(words in problem.sentence and problem.next_step for problem in found)


@pytest.mark.parametrize(
    ("count", "words"), [(1, "1 day"), (0.5, "0.5 days"), (2.04, "2 days"), (14.2, "14 days")]
)
def test_days_are_written_as_people_say_them(count: float, words: str) -> None:
    """Whole when they are large or nearly whole."""
    assert days(count) == words


def test_roles_are_read_from_the_supervisors_file(site: Any) -> None:
    """With CPU and memory of those that live; a broken or missing file is nothing, not a failure."""
    assert read_roles(site.directory) == []
    row = {
        "role": "web",
        "shard": None,
        "pid": os.getpid(),
        "state": "running",
        "started_ms": NOW,
        "restarts": 2,
    }
    file = run_dir(site.directory) / "roles.json"
    file.write_text(json.dumps({"roles": [row, {**row, "role": "analyser", "pid": None}]}))
    usage = Usage()
    show_roles(read_roles(site.directory), usage, {})
    web, analyser = show_roles(read_roles(site.directory), usage, {})
    assert web["memory_bytes"] > 1_000_000
    assert web["cpu_percent"] >= 0
    assert (analyser["pid"], analyser["cpu_percent"], analyser["memory_bytes"]) == (None, None, None)
    for broken in ("", "{", '{"roles": 3}', '{"roles": [{}]}', "[]"):
        file.write_text(broken)
        assert read_roles(site.directory) == []


@pytest.mark.parametrize(
    ("process", "noted"), [({"compiled": True}, False), ({"compiled": False}, True), ({}, False)]
)
def test_a_recorder_that_reads_in_python_is_noted(process: dict[str, bool], noted: bool) -> None:
    """Nothing is missed, but it costs: the line of its process says so."""
    roles = [
        RoleRow("recorder", 1, None, "running", NOW, 0, ""),
        RoleRow("web", None, None, "running", NOW, 0, ""),
    ]
    recorder, web = show_roles(roles, Usage(), {0: {"compiled": False}, 1: process})
    assert bool(recorder["note"]) is noted
    assert web["note"] == ""


def test_the_health_page_has_everything_for_an_administrator(site: Any, tmp_path: Path) -> None:
    """Storage with its real file system, cameras, roles, detector, in the shape of the reference."""
    with site.catalog.write() as conn:
        made = Volume.create(tmp_path / "footage")
        volumes.add(conn, NOW, made.uuid, str(made.path), floor_bytes=0)
        volumes.add(conn, NOW, "u-2", "/no/such/disk")
    site.clock.advance(5)
    answer = site.client("admin").get("/api/v1/health").json()
    assert set(answer) == {"status", "problems", "storage", "roles", "cameras", "detector"}
    assert answer["status"] == "degraded"
    assert [disk["state"] for disk in answer["storage"]] == ["ok", "missing"]
    assert answer["storage"][0]["total_bytes"] > answer["storage"][0]["free_bytes"] > 0
    assert {camera["name"] for camera in answer["cameras"]} == {"gate", "yard"}
    assert {camera["promise_breaks"] for camera in answer["cameras"]} == {None}
    assert all(problem["sentence"] and problem["next_step"] for problem in answer["problems"])


def test_a_viewer_hears_of_their_cameras_only(site: Any, tmp_path: Path) -> None:
    """No paths, no processes, no other camera; the status is the same."""
    with site.catalog.write() as conn:
        volumes.add(conn, NOW, "u-1", str(tmp_path))
    rows = {
        (number, "main"): {"state": "offline", "reason": "Gone.", "since_ms": 1}
        for number in (site.gate, site.yard)
    }
    site.stats.snapshot = Snapshot(rows, {0: {}}, {}, {})
    answer = site.client("viewer").get("/api/v1/health").json()
    assert answer["status"] == "degraded"
    assert [problem["camera"] for problem in answer["problems"]] == [site.gate]
    assert (answer["storage"], answer["roles"]) == ([], [])
    assert [camera["camera"] for camera in answer["cameras"]] == [site.gate]


def test_a_broken_catalog_is_degraded_and_told(site: Any) -> None:
    """``/healthz`` still answers, to anybody, with one word."""
    site.catalog.close()
    site.catalog.path.write_bytes(b"not a database" * 1000)
    for left in site.directory.glob("catalog.db-*"):
        left.unlink()
    site.clock.advance(5)
    answer = site.client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "degraded"})
    refused = site.client().get("/api/v1/cameras", headers={"Cookie": "sid=x"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "catalog_corrupt")


def test_a_camera_added_is_counted_at_the_next_look(site: Any) -> None:
    """Reports are shared for two seconds, not longer."""
    admin = site.client("admin")
    assert len(admin.get("/api/v1/health").json()["cameras"]) == 2
    with site.catalog.write() as conn:
        cameras.add(conn, site.box, NOW, NewCamera("dock", "rtsp://192.0.2.3/"))
    site.clock.advance(2)
    assert len(admin.get("/api/v1/health").json()["cameras"]) == 3


def test_what_a_recorder_raises_is_an_alarm_once(camera: CameraConfig) -> None:
    """Two shards on the same full disk are one problem."""
    alarm = {"code": "disk_full", "message": "The disk is full.", "next_step": "Free space."}
    seen = replace(snapshot(camera), alarms=(alarm, dict(alarm)))
    assert [problem.sentence for problem in problems.of_recorders(seen)] == ["The disk is full."]


def test_the_health_page_says_when_a_promise_breaks(site: Any, tmp_path: Path) -> None:
    """From what was recorded and what fits, for each camera: seven GB a day, 21 fit in the limit."""
    made = Volume.create(tmp_path / "footage")
    start = site.clock.now_ms() - DAY_MS
    with site.catalog.write() as conn:
        volumes.add(conn, NOW, made.uuid, str(made.path), floor_bytes=0, limit_bytes=21 * GB)
        media = MediaFormat(0, b"i", "h264", "avc1", 2, 2, None, None, None)
        row = Segment(
            SegmentKey(site.gate, StreamRole.MAIN, start), start + DAY_MS, 7 * GB, 1,
            segments.format_id(conn, media), False, b"", b"",
        )  # fmt: skip
        segments.close_segment(conn, NOW, row)
    answer = site.client("admin").get("/api/v1/health").json()
    gate = next(camera for camera in answer["cameras"] if camera["name"] == "gate")
    assert (gate["keep_days"], gate["kept_days_forecast"]) == (14, 3)
    assert gate["promise_breaks"][:10] == to_rfc3339(site.clock.now_ms() + 2 * DAY_MS)[:10]
    assert [p["camera"] for p in answer["problems"] if "promise" in p["sentence"]] == [site.gate]
    assert answer["storage"][0]["full_in_days"] == 2
