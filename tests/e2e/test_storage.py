"""Holds and storage in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.e2e, pytest.mark.rtsp, pytest.mark.timeout(300)]

LAWN = 1
Until = Callable[..., Any]


def test_a_selection_on_the_timeline_is_held_listed_and_released(page: Page, until: Until) -> None:
    """The marked stretch and no other, with its reason; released only after a question."""
    until(lambda: _recorded(page, LAWN) > 3000, "something is recorded")
    (span, *_) = _lane(page, LAWN)["spans"]
    page.goto(f"/playback?camera={LAWN}&at={span['start']}")
    stage = page.get_by_test_id("playback-stage")
    expect(stage).to_have_attribute("data-phase", "ready")
    page.keyboard.press("k")
    page.keyboard.press("[")
    page.get_by_role("button", name="Hold", exact=True).click()
    dialog = page.get_by_test_id("hold-dialog")
    marked = [dialog.get_by_label(name).input_value() for name in ("From", "To")]
    dialog.get_by_label("Why it must stay").fill("Asked for by the insurer")
    dialog.get_by_role("button", name="Hold", exact=True).click()
    expect(dialog).to_be_hidden()
    (held,) = page.request.get("/api/v1/holds").json()["holds"]
    assert (held["camera"], held["reason"], held["created_by"]) == (LAWN, "Asked for by the insurer", "admin")
    assert [held[name][:19].replace("T", " ") for name in ("from", "to")] == marked
    page.goto("/storage")
    row = page.get_by_test_id(f"hold-{held['id']}")
    expect(row).to_contain_text("Asked for by the insurer")
    row.get_by_role("button", name="Release").click()
    page.get_by_role("dialog").get_by_role("button", name="Release").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="With released ones").click()
    expect(row).to_contain_text("released by admin")


def test_a_limit_is_given_to_the_storage(page: Page) -> None:
    """In its dialog; the card says so, and the server has it."""
    page.goto("/storage")
    card = page.locator('[data-testid^="volume-"][data-tier="0"]')
    card.get_by_role("button", name="Change").click()
    dialog = page.get_by_test_id("volume-dialog")
    dialog.get_by_label("At most (GB)").fill("12.5")
    dialog.get_by_role("button", name="Save").click()
    expect(card).to_contain_text("at most 12.5 GB")
    (volume,) = page.request.get("/api/v1/volumes").json()["volumes"]
    assert volume["limit_bytes"] == 12_500_000_000
    page.request.patch(f"/api/v1/volumes/{volume['id']}", data={"limit_bytes": None})


def test_a_camera_that_was_cut_off_is_in_the_list_of_gaps(page: Page, place: Any, until: Until) -> None:
    """With its cause in words; a click plays what was before."""
    new = {"name": "Cut off", "url": place.cameras.url("extra"), "analyse": "off"}
    camera = page.request.post("/api/v1/cameras", data=new).json()["id"]
    try:
        until(lambda: _recorded(page, camera) > 3000, "it is recorded")
        page.request.patch(f"/api/v1/cameras/{camera}", data={"record": False})
        page.goto("/storage")
        page.get_by_role("button", name="With those by the recording mode").click()
        until(lambda: _asked_again(page).count() > 0, "the gap is listed")
        gap = _asked_again(page).first
        expect(gap).to_contain_text("switched off")
        gap.get_by_role("link").click()
        expect(page.get_by_test_id("playback-stage")).to_be_visible()
    finally:
        page.request.delete(f"/api/v1/cameras/{camera}?footage=delete")


def _asked_again(page: Page) -> Locator:
    """The rows of that camera, after the list was loaded anew."""
    with page.expect_response(lambda answer: "/api/v1/timeline" in answer.url):
        page.get_by_role("button", name="1 day").click()
    with page.expect_response(lambda answer: "/api/v1/timeline" in answer.url):
        page.get_by_role("button", name="7 days").click()
    return page.get_by_test_id("gap-list").locator("li", has_text="Cut off")


def _recorded(page: Page, camera: int) -> float:
    """Milliseconds on the timeline, those in the file being written included."""
    return sum(_ms(span["end"]) - _ms(span["start"]) for span in _lane(page, camera)["spans"])


def _lane(page: Page, camera: int) -> dict[str, Any]:
    now = datetime.now(UTC)
    asked: dict[str, str | float | bool] = {
        "camera": camera,
        "from": (now - timedelta(hours=1)).isoformat(timespec="milliseconds"),
        "to": now.isoformat(timespec="milliseconds"),
    }
    (lane,) = page.request.get("/api/v1/timeline", params=asked).json()["lanes"]
    found: dict[str, Any] = lane
    return found


def _ms(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000
