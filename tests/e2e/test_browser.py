"""The main job in a real browser: sign in, watch, review what happened, play its moment, manage cameras."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from beholden.catalog import Catalog, cameras, looks

pytestmark = [pytest.mark.e2e, pytest.mark.rtsp, pytest.mark.timeout(300)]

LAWN, STREET = 1, 2
CLIP_PICTURES = 600  # of the drawn clip: it starts again after a minute
Number = Callable[[Locator], int | None]
Until = Callable[..., Any]


def _moves(video: Locator, number_of: Number, until: Until) -> None:
    """The picture's own number rises: not just a player that says it plays."""
    first = until(lambda: number_of(video), "a picture is shown")

    def risen() -> bool:
        now = number_of(video)
        return now is not None and 2 <= (now - first) % CLIP_PICTURES <= CLIP_PICTURES // 2

    until(risen, "its number rises")


def _ms(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000


def test_nobody_gets_in_without_signing_in(browser: Browser, place: Any) -> None:
    """Every page is the sign-in page, and the API refuses."""
    context = browser.new_context(base_url=place.url)
    page = context.new_page()
    for path in ("/", "/cameras", f"/live/{LAWN}", "/review", "/health"):
        page.goto(path)
        expect(page.get_by_test_id("sign-in-form")).to_be_visible()
    assert context.request.get("/api/v1/cameras").status == 401
    assert context.request.get("/healthz").json()["status"] in ("ok", "degraded")
    context.close()


def test_a_one_time_link_works_once(browser: Browser, place: Any, page: Page) -> None:
    """It has let the first browser in; a second one is refused, and the token is not left in the address."""
    page.goto("/live")
    expect(page.get_by_test_id(f"tile-{LAWN}")).to_be_visible()
    context = browser.new_context(base_url=place.url)
    second = context.new_page()
    second.goto(place.link)
    expect(second.get_by_test_id("sign-in-form")).to_be_visible()
    expect(second.get_by_role("alert").or_(second.get_by_role("status")).first).to_be_visible()
    assert "token" not in second.url
    context.close()


def test_the_live_picture_moves(page: Page, number_of: Number, until: Until) -> None:
    """In the single view."""
    page.goto(f"/live/{LAWN}")
    _moves(page.get_by_test_id("live-video"), number_of, until)


def test_the_wall_moves(page: Page, number_of: Number, until: Until) -> None:
    """And in the wall's tile."""
    page.goto("/live")
    _moves(page.get_by_test_id(f"tile-{LAWN}").locator("video"), number_of, until)


def test_recorded_footage_plays_where_it_was_asked_for(
    page: Page, place: Any, number_of: Number, until: Until
) -> None:
    """The picture shown is the one the camera sent at that instant."""
    place.system.until(lambda: place.system.camera("Lawn")["kept_seconds"] > 12, "something is recorded")
    sent = [item for item in place.cameras.sent_pictures("lawn") if item.key]
    wanted = sent[len(sent) // 2]
    asked = datetime.fromtimestamp(wanted.at_ms / 1000).astimezone().isoformat(timespec="milliseconds")
    page.goto(f"/playback?camera={LAWN}&at={asked.replace('+', '%2B')}")
    _shows_its_moment(page, place, "lawn", wanted.at_ms, number_of, until)
    expect(page.get_by_test_id("timeline")).to_be_visible()


def _shows_its_moment(
    page: Page, place: Any, camera: str, around_ms: float, number_of: Number, until: Until
) -> None:
    """The number in the playback picture is that of a picture sent within seconds of the instant."""
    video = page.get_by_test_id("playback-video")
    first = until(lambda: number_of(video), "a recorded picture is shown")
    near = [
        item.number
        for item in place.cameras.sent_pictures(camera)
        if around_ms - 4000 <= item.at_ms <= around_ms + 15_000
    ]
    assert first in near, (first, near[:3], near[-3:])
    until(lambda: (now := number_of(video)) is not None and now != first, "it plays on")


def test_an_event_appears_and_its_moment_plays(
    page: Page, place: Any, number_of: Number, until: Until
) -> None:
    """Real people become events of class person; clicking one plays that instant's pictures."""
    if not place.has_street:
        pytest.skip(
            "no footage of people: run scripts/demo once, or set BEHOLDEN_FOOTAGE to a folder with vtest.avi"
        )
    page.goto("/review")
    cards = page.get_by_test_id("event-card")
    person = page.locator('[data-testid="event-card"][data-kind="person"]').first
    person.wait_for(timeout=120_000)
    expect(cards.first.locator("img")).to_have_js_property("complete", True)
    event = page.request.get(f"/api/v1/events/{person.get_attribute('data-event')}").json()
    assert event["camera"] == STREET
    assert event["kind"] == "person"
    person.locator("a").click()
    page.get_by_test_id("playback-video").wait_for()
    _shows_its_moment(page, place, "street", _ms(event["start"]), number_of, until)


def test_a_camera_is_tried_added_watched_and_removed(
    page: Page, place: Any, number_of: Number, until: Until
) -> None:
    """All in the browser, with a snapshot and a plain verdict before it is trusted."""
    page.goto("/cameras")
    page.get_by_test_id("add-camera").click()
    page.locator("#name").fill("Extra")
    page.locator("#url").fill(place.cameras.url("extra"))
    page.get_by_test_id("test-camera").click()
    verdict = page.get_by_test_id("test-verdict")
    verdict.wait_for()
    assert verdict.get_attribute("data-verdict") in ("good", "usable")
    still = page.locator('img[src^="data:image/jpeg"]')
    expect(still).to_be_visible()
    assert still.evaluate("image => image.naturalWidth") == 320
    page.get_by_test_id("save-camera").click()
    extra = until(lambda: _id_of(place, "Extra"), "it is in the catalog")
    page.goto("/cameras")
    row = page.get_by_test_id(f"camera-row-{extra}")
    expect(row).to_have_attribute("data-state", "live")
    page.goto(f"/live/{extra}")
    _moves(page.get_by_test_id("live-video"), number_of, until)
    page.goto("/cameras")
    row.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove camera", exact=True).click()
    expect(row).to_have_count(0)
    assert _id_of(place, "Extra") is None


def _id_of(place: Any, name: str) -> int | None:
    catalog = Catalog.open_existing(place.system.data)
    try:
        with catalog.read() as conn:
            return next((each.id for each in cameras.present(conn, None) if each.name == name), None)
    finally:
        catalog.close()


def test_a_bad_address_is_told_before_it_is_trusted(page: Page) -> None:
    """The trial says what is wrong; nothing is added."""
    page.goto("/cameras/new")
    page.locator("#name").fill("Nowhere")
    page.locator("#url").fill("rtsp://127.0.0.1:9/none")
    page.get_by_test_id("test-camera").click()
    verdict = page.get_by_test_id("test-verdict")
    verdict.wait_for()
    assert verdict.get_attribute("data-verdict") == "bad"
    expect(verdict).to_contain_text("refused")


def test_health_tells_how_things_are(page: Page, place: Any) -> None:
    """The same verdict as /healthz, with roles and storage."""
    page.goto("/health")
    expect(page.get_by_test_id("health-status")).to_have_attribute("data-status", "ok")
    expect(page.locator("main")).to_contain_text("Recorder")
    expect(page.locator("main")).to_contain_text(str(Path(place.system.data) / "footage"))


def test_pages_fit_a_telephone(page: Page) -> None:
    """No page scrolls sideways at 390 pixels, in either theme."""
    page.set_viewport_size({"width": 390, "height": 844})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for path in (
            "/live", f"/live/{LAWN}", "/playback", "/review", "/cameras", "/cameras/new", "/health",
            "/storage", f"/cameras/{LAWN}/places", "/rules", f"/rules/new?camera={LAWN}",
        ):  # fmt: skip
            page.goto(path)
            page.locator("h1, h2, video").first.wait_for(state="attached")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, (path, scheme)


def test_watching_is_recorded(page: Page, place: Any, until: Until) -> None:
    """Live view and playback are in the table, with who, camera and action, and nothing else of the camera
    was noted as seen."""
    catalog = Catalog.open_existing(place.system.data)

    def noted(action: str) -> bool:
        with catalog.read() as conn:
            rows = looks.page(conn, camera=LAWN, limit=1000)
        return any((row.user_name, row.action.value) == ("admin", action) for row in rows)

    page.goto(f"/live/{LAWN}")
    until(lambda: noted("live"), "a look at live view")
    page.goto(f"/playback?camera={LAWN}")
    until(lambda: noted("playback"), "a look at the past")
    catalog.close()


def test_the_chosen_password_signs_in(browser: Browser, signed_in: BrowserContext, place: Any) -> None:
    """In another browser; a wrong one does not."""
    context = browser.new_context(base_url=place.url)
    page = context.new_page()
    page.goto("/review")
    form = page.get_by_test_id("sign-in-form")
    for password in ("not the right one", place.password):
        page.locator("#username").fill("admin")
        page.locator("#password").fill(password)
        form.get_by_role("button").click()
        if password != place.password:
            expect(page.get_by_role("alert")).to_be_visible()
    expect(form).to_have_count(0)
    assert page.url.endswith("/review")
    context.close()
