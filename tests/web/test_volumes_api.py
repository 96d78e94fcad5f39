"""Volumes over the API: added, changed, judged as they are now, and never an other's disk by mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from beholden.catalog import volumes
from beholden.store.volume import IDENTITY_NAME, Volume
from beholden.web.volumes import KnownVolumes

GB = 10**9


@pytest.fixture
def first(site: Any, tmp_path: Path) -> Path:
    """The volume that recorders write to."""
    made = Volume.create(tmp_path / "footage")
    with site.catalog.write() as conn:
        volumes.add(conn, 0, made.uuid, str(made.path), floor_bytes=0)
    return made.path


def test_a_second_disk_is_added_below_the_first_and_changed(site: Any, first: Path, tmp_path: Path) -> None:
    """Tier 1 by default, with the limits given; what is absent in a change stays."""
    admin = site.client("admin")
    body = {"path": str(tmp_path / "slow"), "limit_bytes": 5 * GB, "floor_bytes": 0}
    answer = admin.post("/api/v1/volumes", json=body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["tier"], made["limit_bytes"], made["state"]) == (1, 5 * GB, "ok")
    assert (tmp_path / "slow" / IDENTITY_NAME).exists()
    changed = admin.patch(f"/api/v1/volumes/{made['id']}", json={"tier": 2, "limit_bytes": None}).json()
    assert (changed["tier"], changed["limit_bytes"], changed["floor_bytes"]) == (2, None, 0)
    again = admin.patch(f"/api/v1/volumes/{made['id']}", json={}).json()
    assert {**again, "free_bytes": 0} == {**changed, "free_bytes": 0}  # others write to this disk too
    moved = admin.patch("/api/v1/volumes/1", json={"move_after_days": 2.5, "sync_seconds": 1}).json()
    assert (moved["move_after_days"], moved["sync_seconds"]) == (2.5, 1)
    listed = admin.get("/api/v1/volumes").json()["volumes"]
    assert [(row["path"], row["tier"]) for row in listed] == [(str(first), 0), (str(tmp_path / "slow"), 2)]
    told = admin.get("/api/v1/health").json()["storage"]
    assert [{**row, "free_bytes": 0} for row in listed] == [{**row, "free_bytes": 0} for row in told]


def test_a_new_first_tier_takes_the_writing_over(site: Any, first: Path, tmp_path: Path) -> None:
    """The former becomes tier 1; it cannot step down by itself."""
    admin = site.client("admin")
    refused = admin.patch("/api/v1/volumes/1", json={"tier": 1})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "bad_value")
    admin.post("/api/v1/volumes", json={"path": str(tmp_path / "faster"), "tier": 0})
    listed = admin.get("/api/v1/volumes").json()["volumes"]
    assert [(row["id"], row["tier"]) for row in listed] == [(2, 0), (1, 1)]


def test_a_directory_that_should_not_be_taken_is_refused(site: Any, first: Path, tmp_path: Path) -> None:
    """Not there, inside another volume, or with another site's footage (unless adopted)."""
    admin = site.client("admin")

    def refused(path: str, **more: Any) -> tuple[int, str]:
        answer = admin.post("/api/v1/volumes", json={"path": path, **more})
        return answer.status_code, answer.json()["error"]["code"]

    assert refused("footage2") == (422, "bad_path")
    assert refused("/no/such/disk/footage") == (422, "bad_path")
    assert refused("/tmp/\0") == (422, "bad_path")
    assert refused(str(first / "inside")) == (409, "volume_taken")
    assert refused(str(first)) == (409, "volume_taken")
    assert refused(str(tmp_path)) == (409, "volume_taken")
    Volume.create(tmp_path / "foreign")
    assert refused(str(tmp_path / "foreign")) == (409, "volume_foreign")
    assert refused(str(tmp_path / "new"), limit_bytes=5) == (422, "bad_value")
    adopted = admin.post("/api/v1/volumes", json={"path": str(tmp_path / "foreign"), "adopt": True})
    assert adopted.status_code == 201
    assert admin.patch("/api/v1/volumes/99", json={"tier": 1}).status_code == 404


def test_a_disk_that_cannot_be_used_says_why(site: Any, first: Path) -> None:
    """Unmounted, swapped, damaged: each in a word and a sentence, here and on the health page."""
    admin = site.client("admin")
    identity = first / IDENTITY_NAME
    right = identity.read_text()
    for text, state in (
        (None, "missing"),
        ("00000000-0000-4000-8000-000000000000\n", "swapped"),
        ("?", "unreadable"),
    ):
        identity.unlink()
        if text is not None:
            identity.write_text(text)
        site.clock.advance(5)
        (row,) = admin.get("/api/v1/volumes").json()["volumes"]
        assert row["state"] == state
        assert row["reason"]
        assert row["next_step"]
        problems = admin.get("/api/v1/health").json()["problems"]
        assert row["reason"] in [problem["sentence"] for problem in problems]
        identity.write_text(right)
    assert admin.get("/api/v1/volumes").json()["volumes"][0]["state"] == "ok"


def test_an_answer_to_the_recorders_question_is_stored(site: Any, first: Path) -> None:
    """With who gave it; only the two questions there are can be answered."""
    admin = site.client("admin")
    assert admin.post("/api/v1/volumes/1/confirm", json={"question": "missing"}).status_code == 204
    with site.catalog.read() as conn:
        assert volumes.confirmed_by(conn, site.clock.now_ms(), 1, "missing") == "admin"
    assert admin.post("/api/v1/volumes/1/confirm", json={"question": "all"}).status_code == 422
    assert admin.post("/api/v1/volumes/9/confirm", json={"question": "missing"}).status_code == 404


def test_a_viewer_learns_nothing_of_the_storage(site: Any, first: Path) -> None:
    """Paths and sizes are an administrator's."""
    viewer = site.client("viewer")
    assert viewer.get("/api/v1/volumes").status_code == 403
    for method, path, body in (
        ("POST", "/api/v1/volumes", {"path": "/x"}),
        ("PATCH", "/api/v1/volumes/1", {"tier": 0}),
        ("POST", "/api/v1/volumes/1/confirm", {"question": "missing"}),
    ):
        assert viewer.request(method, path, json=body).status_code == 403


def test_playback_learns_of_a_volume_added_while_it_runs(
    site: Any, first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the time it trusts what it knows; a catalog that is away for a moment changes nothing."""
    monkeypatch.setattr("beholden.web.volumes.FRESH_SECONDS", 0.0)
    known = KnownVolumes(site.catalog)
    assert [volume.path for volume in known.values()] == [first]
    site.client("admin").post("/api/v1/volumes", json={"path": str(tmp_path / "slow")})
    assert sorted(known) == [1, 2]
    assert known[2].path == tmp_path / "slow"
    site.catalog.close()
    site.catalog.path.unlink()
    site.catalog.path.mkdir()
    assert len(known) == 2
