"""What this browser cannot play, played in it, live and recorded: H.265, Motion JPEG, G.711, L16. AV1 as it
is; downloads, spans and stills."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import av
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator

from beholden.catalog import cameras
from beholden.catalog.cameras import NewCamera
from beholden.demo.camera import VirtualCamera
from beholden.demo.rtsp_server import RunningCameras, start_virtual_cameras
from beholden.demo.synthetic import read_frame_number
from beholden.model.time import SystemClock
from beholden.run import first_start, settings

pytestmark = [pytest.mark.e2e, pytest.mark.rtsp, pytest.mark.timeout(300)]

HALL, YARD, LANE, PIER, MAST = 1, 2, 3, 4, 5
NAMES = {HALL: "Hall", YARD: "Yard", LANE: "Lane", PIER: "Pier"}
SILENT = frozenset({PIER})
CHOICES = {
    HALL: "main stream, converted to H.264",
    YARD: "main stream",
    LANE: "main stream",
    PIER: "main stream, converted to H.264",
}
PICTURES = 300
PASSWORD = "two doors and no window"
ROOT = Path(__file__).resolve().parents[2]
# Bytes of sound the video has decoded: only sound that plays counts up.
HEARD = "video => video.webkitAudioDecodedByteCount"

Number = Callable[[Locator], int | None]
Until = Callable[..., Any]


@pytest.fixture(scope="module")
def odd_cameras(clip_factory: Any) -> Iterator[RunningCameras]:
    """``hall`` sends H.265 and AAC, ``yard`` H.264 and G.711, ``lane`` AV1 and L16, ``pier`` Motion JPEG
    without sound; none has a sub stream."""
    choice = {"width": 320, "height": 192, "fps": 10, "seconds": PICTURES / 10}
    cameras = [
        VirtualCamera("hall", clip_factory(codec="h265", audio="aac", **choice)),
        VirtualCamera("yard", clip_factory(audio="pcmu", **choice)),
        VirtualCamera("lane", clip_factory(codec="av1", audio="l16", **choice)),
        VirtualCamera("pier", clip_factory(codec="mjpeg", **choice)),
    ]
    with start_virtual_cameras(cameras) as running:
        yield running


@pytest.fixture(scope="module")
def odd(
    tmp_path_factory: Any, system_factory: Any, odd_cameras: RunningCameras, browser: Browser
) -> Iterator[tuple[Any, BrowserContext]]:
    """A system that records them, and a browser signed in to it."""
    if not (ROOT / "src" / "beholden" / "web" / "static" / "index.html").exists():
        pytest.skip("the UI is not built; `npm run build` in ui/ does it")
    data = tmp_path_factory.mktemp("odd") / "data"
    site = first_start.prepare(settings.load(data=data), SystemClock())
    with site.catalog.write() as conn:
        urls = {name: odd_cameras.url(name.lower()) for name in NAMES.values()}
        urls["Mast"] = odd_cameras.url("yard", recode="12:hall")  # H.264 for twelve seconds, then H.265
        for name, url in urls.items():
            cameras.add(conn, site.box, SystemClock().now_ms(), NewCamera(name, url, analyse="off"))
    site.catalog.close()
    system = system_factory(data)
    context = browser.new_context(base_url=system.url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(system.sign_in_link())
    form = page.get_by_test_id("password-form")
    form.get_by_label("New password").fill(PASSWORD)
    form.get_by_role("button").click()
    page.get_by_test_id(f"tile-{HALL}").wait_for()
    page.close()
    yield system, context
    context.close()
    system.end()


def moves(video: Locator, number_of: Number, until: Until) -> None:
    """The picture's own number rises."""
    first = until(lambda: number_of(video), "a picture is shown")
    until(lambda: (now := number_of(video)) is not None and 2 <= (now - first) % PICTURES < 150, "it moves")


@pytest.mark.parametrize("camera", NAMES)
def test_live_shows_and_sounds(odd: Any, camera: int, number_of: Number, until: Until) -> None:
    """The tile says what was done to it."""
    page = odd[1].new_page()
    page.goto(f"/live/{camera}")
    video = page.get_by_test_id("live-video")
    moves(video, number_of, until)
    if camera not in SILENT:
        until(lambda: video.evaluate(HEARD) > 0, "sound is decoded")
    assert page.locator("[data-choice]").first.get_attribute("data-choice") == CHOICES[camera]
    page.close()


@pytest.mark.parametrize("camera", NAMES)
def test_recordings_play_with_sound_at_their_moment(
    odd: Any, odd_cameras: RunningCameras, camera: int, number_of: Number, until: Until
) -> None:
    """The picture shown was sent around the instant asked for, and both tracks decode."""
    system, context = odd
    name = NAMES[camera]
    system.until(lambda: system.camera(name)["kept_seconds"] > 10, "something is recorded")
    wanted = [item for item in odd_cameras.sent_pictures(name.lower()) if item.key][5]
    asked = datetime.fromtimestamp(wanted.at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    page = context.new_page()
    page.goto(f"/playback?camera={camera}&at={asked.replace('+00:00', 'Z')}")
    video = page.get_by_test_id("playback-video")
    first = until(lambda: number_of(video), "a recorded picture is shown")
    near = {
        item.number
        for item in odd_cameras.sent_pictures(name.lower())
        if wanted.at_ms - 4000 <= item.at_ms <= wanted.at_ms + 15_000
    }
    assert first in near
    moves(video, number_of, until)
    if camera not in SILENT:
        until(lambda: video.evaluate(HEARD) > 0, "sound is decoded")
    page.close()


def test_a_browser_plays_a_span_by_its_address(
    odd: Any, odd_cameras: RunningCameras, number_of: Number, until: Until
) -> None:
    """It knows the length at once, and a seek shows the picture of that moment."""
    system, context = odd
    system.until(lambda: system.camera("Yard")["kept_seconds"] > 10, "something is recorded")
    keys = [item for item in odd_cameras.sent_pictures("yard") if item.key]
    begin = datetime.fromtimestamp(keys[4].at_ms / 1000, UTC)
    span = urlencode({"from": begin.isoformat(), "to": (begin + timedelta(seconds=4)).isoformat()})
    page = context.new_page()
    page.goto(f"/media/cameras/{YARD}/span.mp4?{span}")
    video = page.locator("video")
    until(lambda: video.evaluate("video => video.readyState >= 2"), "it is loaded")
    assert video.evaluate("video => video.duration") == pytest.approx(4.0, abs=0.15)
    video.evaluate("video => { video.pause(); video.currentTime = 2.55 }")
    until(lambda: not video.evaluate("video => video.seeking"), "it has sought")
    first = keys[4].number
    until(lambda: 23 <= ((number_of(video) or first) - first) % PICTURES <= 27, "the moment is shown")
    page.close()


def test_footage_of_two_codecs_is_offered_as_two_files(odd: Any, until: Until) -> None:
    """The dialog says so; each link gives its part, in its own codec."""
    context = odd[1]

    def parts() -> list[Any]:
        now = datetime.now(UTC)
        span = {"from": (now - timedelta(hours=2)).isoformat(), "to": now.isoformat()}
        answer = context.request.get(f"/media/cameras/{MAST}/downloads", params=span)
        return answer.json().get("parts", [])

    found = until(lambda: (len(some := parts()) > 1) and some, "both codecs are recorded", 120)
    page = context.new_page()
    page.goto(f"/playback?camera={MAST}&at={found[1]['from']}")
    page.get_by_test_id("playback-video").wait_for()
    page.get_by_role("button", name="Download").first.click()
    links = page.get_by_role("dialog").get_by_role("link")
    links.nth(1).wait_for()
    kinds = []
    for link in links.all():
        body = context.request.get(str(link.get_attribute("href"))).body()
        with av.open(io.BytesIO(body)) as container:
            kinds.append(container.streams.video[0].codec_context.name)
    assert kinds == ["h264", "hevc"]
    page.close()


def test_a_download_is_as_recorded(odd: Any, odd_cameras: RunningCameras) -> None:
    """Every picture of the span in order, H.265 still H.265, decoded without complaint."""
    system, context = odd
    system.until(lambda: system.camera("Hall")["kept_seconds"] > 10, "something is recorded")
    keys = [item for item in odd_cameras.sent_pictures("hall") if item.key]
    begin = datetime.fromtimestamp(keys[4].at_ms / 1000, UTC)
    span = {"from": begin.isoformat(), "to": (begin + timedelta(seconds=4)).isoformat()}
    answer = context.request.get(f"/media/cameras/{HALL}/download.mp4", params=span)
    assert answer.status == 200
    assert "Hall_20" in answer.headers["content-disposition"]
    body = answer.body()
    assert int(answer.headers["content-length"]) == len(body)
    with av.open(io.BytesIO(body)) as container:
        assert container.streams.video[0].codec_context.name == "hevc"
        shown = [read_frame_number(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]
    assert len(shown) >= 40
    assert all((after - before) % PICTURES == 1 for before, after in pairwise(shown))


def test_a_still_of_an_instant(odd: Any, odd_cameras: RunningCameras) -> None:
    """Of H.265, as a JPEG; its number is that of a picture sent about then."""
    system, context = odd
    system.until(lambda: system.camera("Hall")["kept_seconds"] > 10, "something is recorded")
    wanted = [item for item in odd_cameras.sent_pictures("hall") if item.key][4]
    moment = datetime.fromtimestamp(wanted.at_ms / 1000, UTC).isoformat()
    answer = context.request.get(f"/media/cameras/{HALL}/still.jpg", params={"at": moment})
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    with av.open(io.BytesIO(answer.body()), format="mjpeg") as container:
        number = read_frame_number(next(container.decode(video=0)).to_ndarray(format="gray"))
    assert number is not None
    assert (number - wanted.number + 10) % PICTURES <= 20
