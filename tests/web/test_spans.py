"""Spans as files over HTTP: whole, in parts, resumed, refused; and into which files a stretch goes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import av
import pytest
from tests.play.conftest import START_MS, Archive

from beholden.catalog import looks, volumes
from beholden.demo.synthetic import read_frame_number
from beholden.model.time import from_ms
from beholden.play.footage import Footage
from beholden.store.volume import Volume


@dataclass
class Kept:
    """A site with footage of the gate."""

    site: Any
    archive: Archive

    def url(self, name: str, start: int = 500, end: int = 3500) -> str:
        """An address of footage, milliseconds from its start."""
        begin, stop = (from_ms(START_MS + at).isoformat().replace("+00:00", "Z") for at in (start, end))
        return f"/media/cameras/{self.site.gate}/{name}?from={begin}&to={stop}"

    def looks(self) -> list[Any]:
        """What has been looked at."""
        with self.site.catalog.read() as conn:
            return looks.page(conn, camera=self.site.gate)


@pytest.fixture
def kept(site: Any, clip_factory: Any) -> Kept:
    """Four seconds in two files."""
    volume = Volume.create(site.directory / "footage")
    with site.catalog.write() as conn:
        number = volumes.add(conn, START_MS, volume.uuid, str(volume.path))
    archive = Archive(site.catalog, volume, number, Footage(site.catalog, {number: volume}), site.gate)
    archive.record(clip_factory(audio="aac"))
    archive.record(clip_factory(audio="aac"), START_MS + 2000)
    return Kept(site, archive)


def numbers(data: bytes) -> list[int | None]:
    """Those burnt into its pictures."""
    with av.open(io.BytesIO(data)) as container:
        return [read_frame_number(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", ["span.mp4", "download.mp4"])
def test_a_span_is_a_file_of_which_parts_can_be_had(kept: Kept, name: str) -> None:
    """HEAD, all of it, any part, a part that begins where a lost connection ended; as RFC 9110 has it."""
    client, url = kept.site.client("viewer"), kept.url(name)
    head = client.head(url)
    size, tag = int(head.headers["content-length"]), head.headers["etag"]
    assert (head.status_code, head.headers["accept-ranges"], head.content) == (200, "bytes", b"")
    whole = client.get(url)
    assert (whole.status_code, len(whole.content)) == (200, size)
    assert numbers(whole.content) == [*range(5, 20), *range(15)]
    middle = client.get(url, headers={"Range": "bytes=1000-20999", "If-Range": tag})
    assert (middle.status_code, middle.content) == (206, whole.content[1000:21_000])
    assert middle.headers["content-range"] == f"bytes 1000-20999/{size}"
    rest = client.get(url, headers={"Range": "bytes=-500"})
    assert rest.content == whole.content[-500:]
    stale = client.get(url, headers={"Range": "bytes=1000-1999", "If-Range": '"another"'})
    assert (stale.status_code, len(stale.content)) == (200, size)
    assert client.get(url, headers={"Range": f"bytes={size}-"}).status_code == 416
    assert client.get(url, headers={"If-None-Match": tag}).status_code == 304


def test_a_download_is_an_attachment_and_a_span_is_not(kept: Kept) -> None:
    """One is to keep, named after camera and time; the other to look at."""
    client = kept.site.client("viewer")
    headers = client.head(kept.url("download.mp4")).headers
    assert headers["content-disposition"].startswith("attachment; filename*=UTF-8''gate_2026-01-01_01-00-00")
    assert headers["x-beholden-gaps"] == "0"
    assert "content-disposition" not in client.head(kept.url("span.mp4")).headers


def test_parts_of_a_span_are_one_look_and_each_download_is_one(kept: Kept) -> None:
    """Whoever watches asks for many parts; who downloads takes a copy each time."""
    client = kept.site.client("viewer")
    for at in (0, 5000, 9000):
        client.get(kept.url("span.mp4"), headers={"Range": f"bytes={at}-{at + 10}"})
    assert [(look.what, look.from_ms) for look in kept.looks()] == [("span", START_MS)]
    for _ in range(2):
        client.get(kept.url("download.mp4"))
    assert [look.what for look in kept.looks()].count("download") == 2


@pytest.mark.parametrize("name", ["span.mp4", "download.mp4", "downloads"])
def test_nobody_without_the_right_learns_what_is_there(kept: Kept, name: str) -> None:
    """Of a camera that is not theirs: refused before anything is planned, with footage or without."""
    stranger, viewer = kept.site.client(), kept.site.client("viewer")
    foreign = kept.url(name).replace(f"/{kept.site.gate}/", f"/{kept.site.yard}/")
    assert stranger.get(kept.url(name)).status_code == 401
    assert viewer.get(foreign).status_code == 403
    assert kept.looks() == []


def test_what_one_file_cannot_hold_is_offered_in_parts(kept: Kept, clip_factory: Any) -> None:
    """The refusal says when the pictures changed; the parts' addresses give all of it."""
    kept.archive.record(clip_factory(codec="h265"), START_MS + 4000)
    client = kept.site.client("viewer")
    refused = client.get(kept.url("download.mp4", end=5500))
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "format_changed")
    parts = client.get(kept.url("downloads", end=5500)).json()["parts"]
    assert [part["codec"] for part in parts] == ["h264", "h265"]
    assert parts[0]["to"] == parts[1]["from"] == "2026-01-01T00:00:04.000Z"
    shown = [numbers(client.get(part["url"]).content) for part in parts]
    assert shown == [[*range(5, 20), *range(20)], [*range(15)]]
    assert len(client.get(kept.url("downloads")).json()["parts"]) == 1


@pytest.mark.parametrize(
    ("start", "end", "status"), [(90_000, 99_000, 404), (500, 500, 422), (0, 90_000_000, 422)]
)
def test_nothing_to_give_is_told(kept: Kept, start: int, end: int, status: int) -> None:
    """Nothing recorded, no time at all, more than a day."""
    answer = kept.site.client("viewer").get(kept.url("span.mp4", start, end))
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
