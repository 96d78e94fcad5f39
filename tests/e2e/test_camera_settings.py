"""What a camera is told to do, in a real browser: the folded part of its form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

pytestmark = [pytest.mark.e2e, pytest.mark.rtsp, pytest.mark.timeout(300)]

Until = Callable[..., Any]


@pytest.fixture
def spare(signed_in: BrowserContext, place: Any) -> Iterator[int]:
    """A camera of its own to change, gone afterwards with its footage."""
    new = {"name": "Spare", "url": place.cameras.url("extra"), "analyse": "off"}
    camera: int = signed_in.request.post("/api/v1/cameras", data=new).json()["id"]
    yield camera
    signed_in.request.delete(f"/api/v1/cameras/{camera}?footage=delete")


def _stored(page: Page, camera: int) -> dict[str, Any]:
    answer: dict[str, Any] = page.request.get(f"/api/v1/cameras/{camera}").json()
    return answer


def test_a_newcomer_sees_only_what_is_needed(page: Page) -> None:
    """Name, address, login, days; the rest is folded, and each fold says what it holds."""
    page.goto("/cameras/new")
    fields = page.locator("form input:visible, form select:visible, form textarea:visible")
    expect(fields).to_have_count(5)
    expect(page.get_by_test_id("fold-recording")).to_contain_text("all the time")
    page.get_by_test_id("fold-recording").locator("summary").click()
    expect(page.get_by_role("radio", name="On events")).to_be_visible()


def test_a_schedule_is_written_by_keyboard_and_comes_back(page: Page, spare: int) -> None:
    """A night over midnight becomes windows of single days, and is one rule again when the form is reopened;
    nothing else of the camera changes."""
    before = _stored(page, spare)
    page.goto(f"/cameras/{spare}")
    fold = page.get_by_test_id("fold-recording")
    fold.locator("summary").press("Enter")
    fold.get_by_role("radio", name="By the week").press(" ")
    for day in ("Mon", "Tue", "Wed", "Thu", "Fri"):
        fold.get_by_role("button", name=day).press("Enter")
    week = page.get_by_test_id("week-editor")
    week.get_by_label("from").fill("2230")
    week.get_by_label("to", exact=True).fill("5:15")
    week.get_by_label("to", exact=True).press("Tab")
    expect(week).to_have_attribute("data-hours", "14")
    page.get_by_test_id("save-camera").click()
    page.get_by_test_id(f"camera-row-{spare}").wait_for()
    after = _stored(page, spare)
    weekend = [(5, 1350, 1440), (6, 0, 315), (6, 1350, 1440), (0, 0, 315)]
    found = {(each["weekday"], each["from_minute"], each["to_minute"]) for each in after["windows"]}
    assert (after["mode"], found) == ("schedule", set(weekend))
    settings = ("name", "keep_days", "max_days", "max_bytes", "analyse", "transport", "record_audio")
    assert {name: after[name] for name in settings} == {name: before[name] for name in settings}
    page.goto(f"/cameras/{spare}")
    page.get_by_test_id("fold-recording").locator("summary").click()
    expect(week.get_by_label("from")).to_have_value("22:30")
    page.get_by_role("radio", name="All the time").check()
    page.get_by_test_id("save-camera").click()
    page.get_by_test_id(f"camera-row-{spare}").wait_for()
    assert _stored(page, spare)["mode"] == "continuous"


def test_what_contradicts_itself_is_told_and_not_saved(page: Page, spare: int) -> None:
    """A longest time below the days to keep; the fold of a field the browser refuses opens."""
    page.goto(f"/cameras/{spare}")
    before = _stored(page, spare)
    limits = page.get_by_test_id("fold-limits")
    limits.locator("summary").click()
    limits.get_by_label("Never longer than").fill("3")
    page.get_by_test_id("save-camera").click()
    expect(page.get_by_role("alert")).to_contain_text("shorter than the days")
    limits.get_by_label("Never longer than").fill("")
    limits.get_by_label("Memory").fill("1")
    limits.locator("summary").click()
    page.get_by_test_id("save-camera").click()
    expect(limits.get_by_label("Memory")).to_be_visible()
    after = _stored(page, spare)
    assert (after["max_days"], after["memory_bytes"]) == (before["max_days"], before["memory_bytes"])


def test_close_ups_are_asked_for_with_a_small_stream(page: Page, spare: int) -> None:
    """Without a small stream, or not looked at, there is nothing to ask; with both it is kept and shown."""
    page.goto(f"/cameras/{spare}")
    fold = page.get_by_test_id("fold-events")
    fold.locator("summary").click()
    asked = fold.get_by_role("checkbox", name="Look for small and far things")
    expect(asked).to_be_disabled()
    fold.get_by_label("Address of the sub stream").fill("rtsp://127.0.0.1:9/small")
    fold.get_by_label("Look for events").select_option("balanced")
    asked.check()
    page.get_by_test_id("save-camera").click()
    page.get_by_test_id(f"camera-row-{spare}").wait_for()
    assert _stored(page, spare)["detect_main"] is True
    page.goto(f"/cameras/{spare}")
    fold.locator("summary").click()
    expect(asked).to_be_checked()


def test_a_schedule_stops_the_recording_and_the_tile_says_so(page: Page, spare: int, until: Until) -> None:
    """Only another day of the week is left: the stream rests, the wall says it is not recorded, and the hole
    is in the list as one that somebody wanted."""
    until(lambda: (_stored(page, spare)["streams"]["main"] or {}).get("state") == "live", "it is recorded")
    page.goto(f"/cameras/{spare}")
    fold = page.get_by_test_id("fold-recording")
    fold.locator("summary").click()
    fold.get_by_role("radio", name="By the week").check()
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    kept = (datetime.now(UTC).weekday() + 3) % 7
    for day in days[:kept] + days[kept + 1 :]:
        fold.get_by_role("button", name=day).click()
    page.get_by_test_id("save-camera").click()
    page.get_by_test_id(f"camera-row-{spare}").wait_for()
    until(lambda: (_stored(page, spare)["streams"]["main"] or {}).get("resting"), "its recording rests")
    page.goto("/live")
    expect(page.get_by_test_id(f"tile-{spare}")).to_contain_text("not recorded at this hour")
    page.goto("/storage")
    page.get_by_role("button", name="With those by the recording mode").click()
    until(lambda: _meant_gaps(page) > 0, "the hole is listed")


def _meant_gaps(page: Page) -> int:
    """How many the list has after it was loaded anew."""
    for name in ("1 day", "7 days"):
        with page.expect_response(lambda answer: "/api/v1/timeline" in answer.url):
            page.get_by_role("button", name=name).click()
    return page.get_by_test_id("gap-list").locator('li[data-cause="rule_off"]', has_text="Spare").count()
