"""A running system with virtual cameras, and a real browser signed in to it."""

from __future__ import annotations

import base64
import itertools
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from beholden.catalog import cameras
from beholden.catalog.cameras import NewCamera
from beholden.demo import places
from beholden.demo.camera import VirtualCamera
from beholden.demo.encode import Encoding, write_clip
from beholden.demo.footage import footage_in
from beholden.demo.rtsp_server import RunningCameras, start_virtual_cameras
from beholden.demo.synthetic import draw_frame_number, read_frame_number
from beholden.model.time import SystemClock
from beholden.run import first_start, settings

CHROMIUM_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
LAWN = 1  # its camera id: added first
PASSWORD = "a quiet lane at dusk"
SLOW_MS = 60_000
ROOT = Path(__file__).resolve().parents[2]
# A picture of the video as it is shown now, as a data URL.
GRAB = """video => {
  if (video.readyState < 2 || !video.videoWidth) return null
  const canvas = document.createElement('canvas')
  canvas.width = video.videoWidth
  canvas.height = video.videoHeight
  canvas.getContext('2d').drawImage(video, 0, 0)
  return canvas.toDataURL('image/png')
}"""

expect.set_options(timeout=SLOW_MS)


@pytest.fixture(scope="session")
def people_clip(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """30 s of real people walking, each picture numbered; None when there is no such footage."""
    elsewhere = Path(os.environ.get("BEHOLDEN_FOOTAGE", str(ROOT.parent / "shared" / "footage")))
    found = next(
        (
            path
            for folder in (places.cache(), elsewhere)
            if folder.is_dir()
            for name, path in footage_in(folder).items()
            if name == "vtest.avi"
        ),
        None,
    )
    if found is None:
        return None
    clip = tmp_path_factory.mktemp("people") / "people.mp4"
    write_clip(clip, _numbered(found, 300), Encoding(640, 480, 10, preset="ultrafast"))
    return clip


def _numbered(source: Path, count: int) -> Iterator[Any]:
    with av.open(str(source)) as container:
        for number, frame in enumerate(itertools.islice(container.decode(video=0), count)):
            picture = np.asarray(cv2.resize(frame.to_ndarray(format="bgr24"), (640, 480)), np.uint8)
            draw_frame_number(picture, number)
            yield picture


@dataclass
class Place:
    """A running system and its cameras: LAWN (drawn, numbered), STREET when there is footage of people."""

    system: Any
    cameras: RunningCameras
    has_street: bool
    link: str

    password: str = PASSWORD

    @property
    def url(self) -> str:
        """Where it serves."""
        return str(self.system.url)


@pytest.fixture(scope="session")
def place(
    tmp_path_factory: pytest.TempPathFactory,
    system_factory: Callable[..., Any],
    clip_factory: Callable[..., Path],
    people_clip: Path | None,
) -> Iterator[Place]:
    """Started once for all browser tests."""
    if not (ROOT / "src" / "beholden" / "web" / "static" / "index.html").exists():
        pytest.skip("the UI is not built; `npm run build` in ui/ does it")
    drawn = clip_factory(width=320, height=180, fps=10, seconds=60, audio="aac")
    served = [VirtualCamera("lawn", drawn), VirtualCamera("extra", drawn)]
    if people_clip is not None:
        served.append(VirtualCamera("street", people_clip, people_clip))
    data = tmp_path_factory.mktemp("e2e") / "data"
    with start_virtual_cameras(served) as running:
        site = first_start.prepare(settings.load(data=data), SystemClock())
        with site.catalog.write() as conn:
            now = SystemClock().now_ms()
            cameras.add(conn, site.box, now, NewCamera("Lawn", running.url("lawn"), analyse="off"))
            if people_clip is not None:
                new = NewCamera("Street", running.url("street"), running.url("street", "sub"))
                cameras.add(conn, site.box, now, new)
        site.catalog.close()
        system = system_factory(data)
        names = [row["name"] for row in system.status()["cameras"]]
        system.until(
            lambda: all(system.camera(name)["kept_seconds"] > 6 for name in names),
            "there is footage a few seconds old, as pages show of each camera",
        )
        yield Place(system, running, people_clip is not None, system.sign_in_link())
        system.end()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium (or whatever ``chromium`` is on the path)."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def signed_in(browser: Browser, place: Place) -> Iterator[BrowserContext]:
    """A browser that came in by the one-time link, whose person then chose a password."""
    context = browser.new_context(base_url=place.url, viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(SLOW_MS)
    page = context.new_page()
    page.goto(place.link)
    form = page.get_by_test_id("password-form")
    form.get_by_label("New password").fill(PASSWORD)
    form.get_by_role("button").click()
    page.get_by_test_id(f"tile-{LAWN}").wait_for()
    page.close()
    yield context
    context.close()


@dataclass
class Trouble:
    """What a page complained of, and requests that left the site."""

    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def watch(self, page: Page, url: str) -> None:
        """Listen to a page."""
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: self.complaints.append(message.text) if message.type == "error" else None,
        )
        page.on("request", lambda request: self._look(request.url, url))

    def _look(self, asked: str, url: str) -> None:
        own = (url, "data:", "blob:", url.replace("http", "ws", 1))
        if not asked.startswith(own):
            self.strangers.append(asked)


@pytest.fixture
def page(signed_in: BrowserContext, place: Place, tmp_path: Path, request: Any) -> Iterator[Page]:
    """A new tab. A picture of it is kept when the test fails; complaints of the page fail the test."""
    page = signed_in.new_page()
    trouble = Trouble()
    trouble.watch(page, place.url)
    yield page
    if request.node.stash.get(FAILED, False):
        page.screenshot(path=tmp_path / "failed.png")
        (tmp_path / "failed.txt").write_text("\n".join(trouble.complaints))
        print(f"picture of the failure: {tmp_path / 'failed.png'}; the page said: {trouble.complaints}")
    page.close()
    assert trouble.complaints == []
    assert trouble.strangers == []


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Let fixtures know that their test failed."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(scope="session")
def number_of() -> Callable[[Locator], int | None]:
    """``number_of(video)`` → the number burnt into the picture it shows now, None while it shows none."""

    def read(video: Locator) -> int | None:
        shown = video.evaluate(GRAB)
        if shown is None:
            return None
        png = base64.b64decode(re.sub("^data:image/png;base64,", "", shown))
        picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        return read_frame_number(np.asarray(picture, np.uint8))

    return read


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """``until(ask, what)`` → the first answer that is not None or False."""

    def wait(ask: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            answer = ask()
            if answer is not None and answer is not False:
                return answer
            assert time.monotonic() < deadline, f"never happened: {what}"
            time.sleep(0.1)

    return wait
