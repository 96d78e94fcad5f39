"""Over the real routes: who may not see people clear gets them hidden, and the look says which it was."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from beholden.catalog import events, looks, places, users
from beholden.catalog.users import Grant
from beholden.model.access import Action
from beholden.model.place import PlaceKind
from beholden.web.media import event_still_path

HALF = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]


@pytest.fixture
def still(site: Any) -> bytes:
    """A stored picture of the gate's event, as its file holds it."""
    rough = np.random.default_rng(1).integers(60, 256, (18, 32, 3), np.uint8)
    done, data = cv2.imencode(".jpg", cv2.resize(rough, (640, 360), interpolation=cv2.INTER_NEAREST))
    assert done
    with site.catalog.write() as conn:
        events.update_event(conn, site.gate_event, still_size=data.size)
        item = events.get(conn, site.gate_event)
    assert item is not None
    path = event_still_path(site.directory / "stills", item.event)
    path.parent.mkdir(parents=True)
    path.write_bytes(data.tobytes())
    return bytes(data.tobytes())


def allow(site: Any, *actions: Action) -> None:
    """Give the viewer these rights on the gate, and no others."""
    with site.catalog.write() as conn:
        users.set_grants(conn, site.viewer, frozenset(Grant(site.gate, action) for action in actions))


def test_blurred_without_the_right_and_clear_with_it(site: Any, still: bytes) -> None:
    """A viewer gets another picture than the file until the right is given; both looks say which."""
    path = f"/media/events/{site.gate_event}/still.jpg"
    viewer, admin = site.client("viewer"), site.client("admin")
    allow(site, Action.STILL)
    blurred = viewer.get(path)
    assert (blurred.status_code, blurred.headers["content-type"]) == (200, "image/jpeg")
    assert blurred.content != still
    assert blurred.content[:2] == b"\xff\xd8"
    assert admin.get(path).content == still
    allow(site, Action.STILL, Action.CLEAR)
    assert viewer.get(path).content == still
    allow(site, Action.CLEAR)
    assert viewer.get(path).status_code == 403
    with site.catalog.read() as conn:
        said = [(look.user_name, look.what) for look in looks.page(conn)][::-1]
    what = f"event {site.gate_event} still"
    assert said == [("viewer", f"{what}, blurred"), ("admin", f"{what}, clear"), ("viewer", f"{what}, clear")]


def test_a_mask_drawn_later_hides_in_older_stills(site: Any, still: bytes) -> None:
    """For everybody, an administrator too, from the moment it is drawn."""
    path = f"/media/events/{site.gate_event}/still.jpg"
    admin = site.client("admin")
    assert admin.get(path).content == still
    with site.catalog.write() as conn:
        places.add(conn, 0, site.gate, PlaceKind.PRIVACY, "window", HALF, "admin")
    picture = cv2.imdecode(np.frombuffer(admin.get(path).content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture[:, :314].max() < 12
    assert picture[:, 326:].min() > 20
