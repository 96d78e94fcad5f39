"""What moved, found in a real browser: a map of motion, a part drawn on it, a moment opened from it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.e2e, pytest.mark.rtsp, pytest.mark.timeout(400)]

STREET = 2


def _total(page: Page) -> int:
    days = "new Date(Date.now() - 86400000).toISOString()"
    asked = f"`/api/v1/cameras/{STREET}/motion?from=${{{days}}}&to=${{new Date().toISOString()}}`"
    return int(page.evaluate(f"fetch({asked}).then(answer => answer.json()).then(answer => answer.total)"))


def test_what_moved_in_a_drawn_part_opens_its_moment(
    page: Page, place: Any, until: Callable[..., Any]
) -> None:
    """Motion of people is listed once its footage is closed; drawing a part narrows it; a click plays it."""
    if not place.has_street:
        pytest.skip("there is no footage of people on this machine")
    page.goto(f"/insights?camera={STREET}&days=1")
    until(lambda: _total(page) > 0, "motion is remembered", 240)
    page.reload()
    expect(page.get_by_test_id("motion-stretch").first).to_be_visible()
    expect(page.get_by_role("img", name="Map of motion")).to_be_visible()
    until(lambda: page.reload() or page.get_by_test_id("count-bars-person").count(), "people are counted", 60)
    expect(page.get_by_test_id("count-bars-person")).to_have_attribute(
        "aria-label", re.compile(r"Person: \d+ event")
    )
    stage = page.get_by_test_id("motion-map")
    box = stage.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.9, steps=4)
    page.mouse.up()
    expect(page.get_by_test_id("motion-total")).to_contain_text("in the part you drew")
    assert "part=0.2_0.2_0.8_0.9" in page.url
    page.get_by_test_id("motion-stretch").first.click()
    expect(page).to_have_url(re.compile(rf"/playback\?camera={STREET}&at="))


def test_it_fits_a_telephone(page: Page) -> None:
    """No sideways scrolling at 390 px."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/insights")
    expect(page.get_by_test_id("motion-map")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
