"""What a camera's settings may be."""

from __future__ import annotations

import math
from typing import Any

import pytest

from beholden.catalog import Catalog, camera_settings, cameras
from beholden.catalog.cameras import NewCamera
from beholden.catalog.secrets import SecretBox
from beholden.model.camera import RecordingMode, RecordingWindow
from beholden.model.errors import BeholdenError


@pytest.mark.parametrize(
    "values",
    [
        {"name": "gate", "analyse": "always", "transport": "udp", "mode": "events"},
        {"keep_days": 0.5, "keep_event_days": None, "max_days": 30},
        {"keep_days": 7},
        {"max_bytes": None, "memory_bytes": 4_000_000, "pre_seconds": 0, "post_seconds": 600},
        {"certificate": "verify"},
        {"certificate": "sha256:" + "0a" * 32},
        {"unknown": object()},
    ],
)
def test_what_is_in_its_range_is_taken(values: dict[str, Any]) -> None:
    """Only what is given is looked at."""
    camera_settings.check(values)


@pytest.mark.parametrize(
    ("values", "code", "said"),
    [
        ({"name": "  "}, "bad_name", "name"),
        ({"name": "x" * 201}, "bad_name", "name"),
        ({"analyse": "sometimes"}, "bad_value", "analyse is one of"),
        ({"keep_days": None}, "bad_value", "must be given"),
        ({"keep_days": 0}, "bad_value", "more than 0"),
        ({"keep_event_days": math.nan}, "bad_value", "more than 0"),
        ({"keep_days": 10, "max_days": 5}, "bad_value", "hard maximum"),
        ({"max_bytes": 1}, "bad_value", "100 MB"),
        ({"memory_bytes": 1}, "bad_value", "memory"),
        ({"pre_seconds": 61}, "bad_value", "before an event"),
        ({"certificate": "sha256:xyz"}, "bad_value", "certificate"),
        ({"certificate": "trust"}, "bad_value", "certificate"),
    ],
)
def test_what_is_not_is_refused(values: dict[str, Any], code: str, said: str) -> None:
    """With the reason."""
    with pytest.raises(BeholdenError, match=said) as caught:
        camera_settings.check(values)
    assert caught.value.code == code


def test_fingerprints_are_taken_as_people_write_them() -> None:
    """With colons and capitals; what is none is left for the check."""
    digits = ":".join(["AB"] * 32)
    assert camera_settings.parse_certificate(f" SHA256:{digits} ") == "sha256:" + "ab" * 32
    assert camera_settings.parse_certificate("Verify") == "verify"


ON_EVENT, ALL_DAY = RecordingMode.EVENTS, RecordingMode.CONTINUOUS


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ([RecordingWindow(7, 0, 60, ALL_DAY)], "within one day"),
        ([RecordingWindow(0, 60, 60, ALL_DAY)], "begins before it ends"),
        ([RecordingWindow(0, 0, 60, RecordingMode.SCHEDULE)], "continuously or on events"),
        ([RecordingWindow(0, 0, 60, ALL_DAY), RecordingWindow(0, 59, 90, ON_EVENT)], "overlap"),
    ],
)
def test_windows_that_contradict_are_refused(
    catalog: Catalog, box: SecretBox, wanted: list[RecordingWindow], said: str
) -> None:
    """And the camera keeps those it had."""
    good = [RecordingWindow(0, 0, 60, ALL_DAY), RecordingWindow(0, 60, 90, ON_EVENT)]
    with catalog.write() as conn:
        camera = cameras.add(conn, box, 1, NewCamera("gate", "rtsp://192.0.2.1/"))
        camera_settings.set_windows(conn, camera, good)
    with pytest.raises(BeholdenError, match=said), catalog.write() as conn:
        camera_settings.set_windows(conn, camera, wanted)
    with catalog.read() as conn:
        assert camera_settings.windows(conn) == {camera: tuple(good)}
    with catalog.write() as conn:
        assert camera_settings.set_windows(conn, camera, []) == []
    with catalog.read() as conn:
        assert camera_settings.windows(conn) == {}
