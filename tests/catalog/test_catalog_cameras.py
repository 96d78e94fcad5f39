"""Cameras: addresses, sealed passwords, revisions, shards."""

from __future__ import annotations

from pathlib import Path

import pytest

from beholden.catalog import Catalog, cameras, gaps, journal
from beholden.catalog.cameras import NewCamera
from beholden.catalog.gaps import Gap
from beholden.catalog.secrets import SecretBox
from beholden.model.camera import StreamRole
from beholden.model.errors import BeholdenError
from beholden.model.gap import GapCause


def add(
    catalog: Catalog, box: SecretBox, name: str = "Door", url: str = "rtsp://u:p%40ss@127.0.0.1:554/a?b=1"
) -> int:
    """Add a camera in a transaction of its own."""
    with catalog.write() as conn:
        return cameras.add(conn, box, 1000, NewCamera(name, url))


def test_password_is_split_off_and_sealed(catalog: Catalog, box: SecretBox, tmp_path: Path) -> None:
    """The password is in no column and no file in clear, and comes back for those with the key."""
    camera_id = add(catalog, box, url="rtsp://user:sehr-geheim-42@127.0.0.1:554/a?b=1")
    with catalog.read() as conn:
        found = cameras.get(conn, box, camera_id)
        without_key = cameras.get(conn, None, camera_id)
    catalog.close()
    assert found.main.url == "rtsp://127.0.0.1:554/a?b=1"
    assert (found.main.username, found.main.password) == ("user", "sehr-geheim-42")
    assert without_key.main.password == ""
    assert "sehr-geheim" not in repr(found)
    for path in tmp_path.iterdir():
        assert b"sehr-geheim" not in path.read_bytes()


def test_another_key_opens_nothing(catalog: Catalog, box: SecretBox, tmp_path: Path) -> None:
    """A catalog with a foreign secret.key says so instead of giving rubbish."""
    camera_id = add(catalog, box)
    other = SecretBox(b"\1" * 32)
    with catalog.read() as conn, pytest.raises(BeholdenError, match=r"secret\.key"):
        cameras.get(conn, other, camera_id)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "rtsp://",
        "camera",
        "",
        "rtsp://127.0.0.1:99999/",
        "file:///etc/passwd",
        "rtsp://[::1/x",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    """Only RTSP addresses with a host are cameras; the error never repeats the address."""
    with pytest.raises(BeholdenError) as caught:
        cameras.split_url(url)
    assert caught.value.code == "bad_url"


def test_ipv6_addresses_keep_their_brackets() -> None:
    """An IPv6 literal survives the split."""
    assert cameras.split_url("rtsp://a:b@[::1]:8554/x").url == "rtsp://[::1]:8554/x"


def test_names_are_unique_among_present_cameras(catalog: Catalog, box: SecretBox) -> None:
    """A name is free again once its camera was removed, and ids are never used twice."""
    first = add(catalog, box)
    with pytest.raises(BeholdenError, match="already"):
        add(catalog, box)
    with catalog.write() as conn:
        cameras.remove(conn, 2000, first)
    second = add(catalog, box)
    assert second > first
    with catalog.read() as conn:
        assert [camera.id for camera in cameras.present(conn, box)] == [second]
        assert set(cameras.names(conn)) == {first, second}


def test_every_change_moves_the_revision(catalog: Catalog, box: SecretBox) -> None:
    """Roles poll one cheap pair to learn that something changed."""
    seen = []

    def note() -> None:
        with catalog.read() as conn:
            seen.append(cameras.revision(conn))

    note()
    camera_id = add(catalog, box)
    note()
    with catalog.write() as conn:
        cameras.change(conn, box, 2000, camera_id, {"enabled": False})
    note()
    with catalog.write() as conn:
        cameras.remove(conn, 3000, camera_id)
    note()
    assert len(set(seen)) == 4


def test_changes_are_journalled_without_secrets(catalog: Catalog, box: SecretBox) -> None:
    """The journal says what changed and that a password changed, never which."""
    camera_id = add(catalog, box)
    with catalog.write() as conn:
        changes = {"main_url": "rtsp://new:newpass@127.0.0.1/z", "keep_days": 3}
        cameras.change(conn, box, 2000, camera_id, changes)
    with catalog.read() as conn:
        facts = journal.entries(conn)
        changed = cameras.get(conn, box, camera_id)
    assert [fact.kind for fact in facts] == ["camera_added", "camera_changed"]
    assert facts[1].body == {
        "main_url": "rtsp://127.0.0.1/z",
        "keep_days": 3,
        "username": "new",
        "password_changed": True,
    }
    assert (changed.main.username, changed.main.password, changed.keep_days) == ("new", "newpass", 3.0)
    assert "newpass" not in str(facts)


def test_an_empty_user_name_means_the_one_in_the_address(catalog: Catalog, box: SecretBox) -> None:
    """Forms send empty fields; a login pasted with the address is not lost for that."""
    with catalog.write() as conn:
        new = NewCamera("Yard", "rtsp://bob:pw@127.0.0.1/x", username="", password="")
        camera_id = cameras.add(conn, box, 1000, new)
        added = cameras.get(conn, box, camera_id)
        changes = {"main_url": "rtsp://eve:other@127.0.0.1/x", "username": ""}
        cameras.change(conn, box, 2000, camera_id, changes)
        changed = cameras.get(conn, box, camera_id)
    assert (added.main.username, added.main.password) == ("bob", "pw")
    assert (changed.main.username, changed.main.password) == ("eve", "other")


def test_a_removed_camera_leaves_no_gap_open(catalog: Catalog, box: SecretBox) -> None:
    """Its gap ends with it, and what the recorder tells late opens no new one."""
    camera_id = add(catalog, box)
    gap = Gap(camera_id, StreamRole.MAIN, 1500, None, GapCause.CAMERA_LOST, "reset")
    with catalog.write() as conn:
        gaps.open_gap(conn, 1500, gap)
        cameras.remove(conn, 2000, camera_id)
        gaps.open_gap(conn, 2500, gap._replace(start_ms=2500))
        (found,) = gaps.between(conn, camera_id, StreamRole.MAIN, 0, 10_000)
    assert (found.start_ms, found.end_ms) == (1500, 2000)


def test_a_shard_takes_a_bounded_number(catalog: Catalog, box: SecretBox) -> None:
    """The next recorder process begins when one is full, and cameras never move by themselves."""
    with catalog.write() as conn:
        for number in range(cameras.CAMERAS_PER_SHARD + 1):
            cameras.add(conn, box, 1000, NewCamera(f"c{number}", "rtsp://127.0.0.1/x"))
    with catalog.read() as conn:
        assert cameras.shards(conn) == [0, 1]
        assert len(cameras.present(conn, box, shard=1)) == 1


def test_find_by_name_or_number(catalog: Catalog, box: SecretBox) -> None:
    """Commands take either; a stranger is told how to list cameras."""
    camera_id = add(catalog, box)
    with catalog.read() as conn:
        assert cameras.find(conn, "Door") == camera_id
        assert cameras.find(conn, str(camera_id)) == camera_id
        with pytest.raises(BeholdenError, match="camera list"):
            cameras.find(conn, "Gate")


@pytest.mark.parametrize(
    "changes",
    [{"analyse": "faces"}, {"keep_days": 0}, {"keep_days": 99999}, {"name": " "}, {"main_url": "x"}],
)
def test_bad_values_change_nothing(catalog: Catalog, box: SecretBox, changes: dict[str, object]) -> None:
    """A refused change leaves the camera and the journal as they were."""
    camera_id = add(catalog, box)
    with pytest.raises(BeholdenError), catalog.write() as conn:
        cameras.change(conn, box, 2000, camera_id, changes)
    with catalog.read() as conn:
        assert cameras.get(conn, box, camera_id).rev == 1
        assert len(journal.entries(conn)) == 1


def test_the_key_file_is_private(box: SecretBox, tmp_path: Path) -> None:
    """Only the owner may read secret.key, and a cut one is refused."""
    path = tmp_path / "secret.key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"short")
    with pytest.raises(BeholdenError, match="damaged"):
        SecretBox.open(tmp_path)
