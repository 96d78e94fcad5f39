"""Glass to glass: from a picture leaving a 1080p camera to the same picture on the screen, in the real UI.

One virtual camera plays a drawn clip whose pictures carry their number. The product records it, a headless
Chromium signs in and opens the single view. A callback on every picture shown reads its number back from the
pixels; the camera's own record says when that picture left. Camera, product and browser share this machine
and its clock, and decoding and drawing are done by the CPU.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from beholden.catalog import cameras
from beholden.catalog.cameras import NewCamera
from beholden.demo import places
from beholden.demo.camera import VirtualCamera
from beholden.demo.rtsp_server import RunningCameras, start_virtual_cameras
from beholden.demo.synthetic import synthetic_clip
from beholden.model.errors import BeholdenError
from beholden.model.time import SystemClock
from beholden.run import first_start, settings
from benchmarks.figures import Figures

NAME = "live"
SUMMARY = "glass-to-glass delay of one 1080p camera in the single live view"
FIGURES = {
    "p50_ms": "camera sends a picture → it is on screen, median (at most 300 wanted)",
    "p95_ms": "the same, 95th percentile",
    "first_picture_ms": "opening the view → first picture on screen",
    "arrival_p50_ms": "the floor: picture read by the recorder → received by the browser, median",
    "fps": "pictures shown a second",
}
_LINK = re.compile(r"http://\S+#token=(\S+)")
_URL = re.compile(r"running at (http://\S+)")
_CLIP_SECONDS = 12
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]

# Notes when fragments come; each carries the time at which the recorder had its newest picture.
_WATCH_SOCKETS = """
window.arrivals = []
const Plain = WebSocket
window.WebSocket = class extends Plain {
  constructor(...args) {
    super(...args)
    this.addEventListener('message', ({ data }) => {
      if (!(data instanceof ArrayBuffer) || data.byteLength < 9) return
      const at = Number(new DataView(data).getBigUint64(0))
      if (at) window.arrivals.push(performance.timeOrigin + performance.now() - at)
    })
  }
}
"""
# Reads the number out of every third picture, as beholden.demo.synthetic draws it.
_WATCH_PICTURES = """
() => {
  const video = document.querySelector('video')
  const opened = performance.now()
  window.shown = []
  window.frames = 0
  window.first = null
  const canvas = document.createElement('canvas')
  canvas.width = 480
  canvas.height = 40
  const context = canvas.getContext('2d', { willReadFrequently: true })
  const read = () => {
    const side = video.videoWidth / 24
    context.drawImage(video, 0, 0, video.videoWidth, side * 2, 0, 0, 480, 40)
    const row = context.getImageData(0, 15, 480, 1).data
    const level = (bit) => row[4 * Math.round((bit + 0.75) * 20)]
    if (level(16) - level(17) < 90) return null
    const middle = (level(16) + level(17)) / 2
    let number = 0
    for (let bit = 0; bit < 16; bit++) if (level(bit) > middle) number |= 1 << bit
    return number
  }
  const onPicture = (now, { expectedDisplayTime }) => {
    window.first ??= performance.now() - opened
    if (window.frames++ % 3 === 0) {
      const number = read()
      const at = performance.timeOrigin + Math.max(now, expectedDisplayTime)
      if (number !== null) window.shown.push([number, at])
    }
    video.requestVideoFrameCallback(onPicture)
  }
  video.requestVideoFrameCallback(onPicture)
}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long, and what the camera sends."""
    parser.add_argument("--seconds", type=float, default=30.0, metavar="S", help="watched (default: 30)")
    parser.add_argument("--fps", type=int, default=25, metavar="N", help="of the camera (default: 25)")


def run(options: argparse.Namespace) -> Figures:
    """Start it all, watch, and compare. BeholdenError when there is no Chromium or no built UI."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise BeholdenError("no_browser", "There is no Chromium on this machine.", "Install chromium.")
    folder = places.cache() / "bench"
    main = synthetic_clip(
        folder, 1920, 1080, options.fps, _CLIP_SECONDS, bitrate=4_000_000, noise=3.0, audio="aac"
    )
    sub = synthetic_clip(folder, 640, 360, 10, _CLIP_SECONDS)
    with (
        tempfile.TemporaryDirectory(prefix="beholden-live-") as directory,
        start_virtual_cameras([VirtualCamera("gate", main, sub)]) as served,
    ):
        data = Path(directory) / "data"
        _add_camera(data, served)
        with _system(data) as (url, token):
            seen = _watch(chromium, url, token, options.seconds)
        return _figures(seen, served)


def _add_camera(data: Path, served: RunningCameras) -> None:
    site = first_start.prepare(settings.load(data=data), SystemClock())
    with site.catalog.write() as conn:
        new = NewCamera("Gate", served.url("gate"), served.url("gate", "sub"))
        cameras.add(conn, site.box, SystemClock().now_ms(), new)
    site.catalog.close()


@contextlib.contextmanager
def _system(data: Path) -> Iterator[tuple[str, str]]:
    """The product on a free port: (address, one-time token)."""
    command = [sys.executable, "-m", "beholden", "run", "--data", str(data), "--port", str(_free_port())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        url = token = ""
        for line in process.stdout:
            url = found[1] if (found := _URL.search(line)) else url
            if found := _LINK.search(line):
                token = found[1]
                break
        if not token:
            raise BeholdenError("no_start", "The product did not start.", "Run `beholden run` to see why.")
        yield url, token
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _watch(chromium: str, url: str, token: str, seconds: float) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(_WATCH_SOCKETS)
        page.goto(f"{url}/sign-in")
        page.evaluate(_SIGN_IN, token)
        page.goto(f"{url}/live/1")
        page.wait_for_selector("video", state="attached")
        page.evaluate(_WATCH_PICTURES)
        _wait_for_pictures(page)
        time.sleep(3)  # the player finds its distance
        page.evaluate("() => { window.shown = []; window.arrivals = []; window.frames = 0 }")
        began = time.monotonic()
        time.sleep(seconds)
        found: dict[str, Any] = page.evaluate("() => ({ shown, arrivals, frames, first })")
        found["seconds"] = time.monotonic() - began
        browser.close()
    return found


def _wait_for_pictures(page: Any) -> None:
    # Asked for, not waited for in the page: its policy allows no text to become code there.
    deadline = time.monotonic() + 60
    while page.evaluate("() => window.frames") < 50:
        if time.monotonic() > deadline:
            raise BeholdenError("nothing_seen", "No moving picture appeared.", "Try again.")
        time.sleep(0.2)


_SIGN_IN = """async (token) => {
  const send = async (method, path, body) => {
    const headers = { 'Content-Type': 'application/json' }
    const answer = await fetch(path, { method, headers, body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(await answer.text())
  }
  await send('POST', '/api/v1/session', { token })
  await send('PUT', '/api/v1/password', { new: 'a clear view of the gate' })
}"""


def _figures(seen: dict[str, Any], served: RunningCameras) -> Figures:
    delays = delays_of(seen["shown"], [(p.number, p.at_ms) for p in served.sent_pictures("gate")])
    if len(delays) < 20:
        raise BeholdenError("nothing_seen", "Too few pictures could be read off the screen.", "Try again.")
    named = {
        "p50_ms": statistics.median(delays),
        "p95_ms": statistics.quantiles(delays, n=20)[18],
        "first_picture_ms": seen["first"],
        "arrival_p50_ms": statistics.median(seen["arrivals"]),
        "fps": seen["frames"] / seen["seconds"],
    }
    load = Path("/proc/loadavg").read_text(encoding="ascii").split()[0]
    notes = [f"{len(delays)} pictures read; load of the machine {load}; decoding and drawing by the CPU."]
    return Figures({name: round(value, 1) for name, value in named.items()}, notes=notes)


def delays_of(shown: Sequence[tuple[int, float]], sent: Sequence[tuple[int, float]]) -> list[float]:
    """Milliseconds from sending to showing, for each (number, ms) shown.

    The clip loops, so the newest picture of that number sent before it was shown is meant.
    """
    by_number: dict[int, list[float]] = {}
    for number, at in sent:
        by_number.setdefault(number, []).append(at)
    found = []
    for number, at in shown:
        before = [moment for moment in by_number.get(number, []) if moment <= at]
        if before:
            found.append(at - max(before))
    return found
