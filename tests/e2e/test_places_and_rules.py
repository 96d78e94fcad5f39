"""Drawing on a camera's picture and saying what is to be reported, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.e2e, pytest.mark.rtsp, pytest.mark.timeout(300)]

LAWN, STREET = 1, 2
Until = Callable[..., Any]


@pytest.fixture
def blank(page: Page) -> Iterator[Page]:
    """Nothing is drawn and no rule is there before and after."""

    def wipe() -> None:
        for rule in page.request.get("/api/v1/rules").json()["rules"]:
            page.request.delete(f"/api/v1/rules/{rule['id']}")
        for camera in (LAWN, STREET):
            for place in page.request.get(f"/api/v1/cameras/{camera}/places").json().get("places", []):
                page.request.delete(f"/api/v1/places/{place['id']}")

    wipe()
    yield page
    wipe()


def _places(page: Page, camera: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.request.get(f"/api/v1/cameras/{camera}/places").json()["places"]
    return found


def test_a_zone_is_drawn_with_mouse_and_keys_and_undone(blank: Page) -> None:
    """A point is dragged, one added on an edge, one nudged and one removed; undo and redo; saved as drawn."""
    page = blank
    page.goto(f"/cameras/{LAWN}/places")
    page.get_by_test_id("add-zone").click()
    page.get_by_label("Name").fill("Entrance")
    picture = page.get_by_role("group", name="What is drawn on the picture")
    box = picture.bounding_box()
    assert box is not None

    def at(x: float, y: float) -> tuple[float, float]:
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    page.mouse.move(*at(0.3, 0.35))
    page.mouse.down()
    page.mouse.move(*at(0.2, 0.3), steps=4)
    page.mouse.move(*at(0.1, 0.2), steps=4)
    page.mouse.up()
    page.mouse.click(*at(0.6, 0.55))
    expect(page.locator("[data-point]")).to_have_count(5)
    page.locator('[data-point="2"]').focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Delete")
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Redo").click()
    page.get_by_test_id("save-places").click()
    expect(page.get_by_text("The places are saved.")).to_be_visible()
    (place,) = _places(page, LAWN)
    assert (place["kind"], place["name"], len(place["points"])) == ("zone", "Entrance", 5)
    corner, _, added, *_ = place["points"]
    assert corner == pytest.approx([0.1, 0.2], abs=0.02)
    assert added[0] > 0.605, "the added point was nudged to the right"
    page.reload()
    expect(page.get_by_test_id("place")).to_have_attribute("data-kind", "zone")


def test_edges_that_cross_cannot_be_saved(blank: Page) -> None:
    """The page says so beside the place."""
    page = blank
    page.goto(f"/cameras/{LAWN}/places")
    page.get_by_test_id("add-zone").click()
    page.locator('[data-point="0"]').focus()
    for _ in range(40):
        page.keyboard.press("Shift+ArrowRight")
    for _ in range(10):
        page.keyboard.press("Shift+ArrowDown")
    expect(page.get_by_test_id("place").get_by_role("alert")).to_contain_text("cross")
    expect(page.get_by_test_id("save-places")).to_be_disabled()


@pytest.fixture
def watched(blank: Page) -> Iterator[Page]:
    """The first camera's picture is analysed, so that its rules may be switched on."""
    _analyse(blank, "keyframes")
    yield blank
    _analyse(blank, "off")


def _analyse(page: Page, how: str) -> None:
    assert page.request.patch(f"/api/v1/cameras/{LAWN}", data={"analyse": how}).ok


def test_a_rule_is_a_sentence_and_is_switched_on_after_a_question(watched: Page) -> None:
    """A line with its direction becomes a rule; not tested, it asks before it is on."""
    page = watched
    page.goto(f"/cameras/{LAWN}/places")
    page.get_by_test_id("add-line").click()
    page.get_by_label("Name").fill("Kerb")
    page.get_by_test_id("save-places").click()
    expect(page.get_by_text("The places are saved.")).to_be_visible()
    page.goto(f"/rules/new?camera={LAWN}")
    page.get_by_label("Happens").select_option(label="crosses a line")
    page.get_by_label("Direction").select_option("in")
    page.get_by_label("Reported as").select_option("alert")
    expect(page.get_by_test_id("rule-sentence")).to_have_text(
        "When a person crosses Kerb inwards → alert, at most one in 1 min."
    )
    page.get_by_test_id("save-rule").click()
    expect(page).to_have_url(re.compile(r"/rules/\d+$"))
    (rule,) = page.request.get("/api/v1/rules").json()["rules"]
    assert (rule["kind"], rule["direction"], rule["severity"]) == ("cross", "in", "alert")
    assert (rule["name"], rule["enabled"]) == ("A person crosses Kerb inwards", False)
    page.goto("/rules")
    row = page.get_by_test_id(f"rule-{rule['id']}")
    row.get_by_role("switch").click()
    page.get_by_role("dialog").get_by_role("button", name="Switch on untested").click()
    expect(row).to_have_attribute("data-enabled", "true")


def test_a_rule_about_sound_is_tried_on_recorded_sound(watched: Page, until: Until) -> None:
    """The form says so while the camera is not listened to; then it is heard, and switched on without a
    question."""
    page = watched
    page.goto(f"/rules/new?camera={LAWN}")
    page.get_by_label("Happens").select_option(label="a loud sound")
    expect(page.get_by_role("status").filter(has_text="how loud it is")).to_be_visible()
    page.get_by_test_id("save-rule").click()
    expect(page).to_have_url(re.compile(r"/rules/\d+$"))
    test = page.get_by_test_id("backtest")
    assert page.request.patch(f"/api/v1/cameras/{LAWN}", data={"listen": True}).ok

    def tried() -> bool:
        if test.get_attribute("data-state") not in ("queued", "running"):
            page.get_by_test_id("run-backtest").click()  # the first minute is there when its file is closed
        page.wait_for_timeout(1000)
        return test.get_attribute("data-state") == "done"

    until(tried, "the recorded sound was heard", 180)
    page.get_by_role("switch").click()
    expect(page.get_by_role("switch")).to_have_attribute("aria-checked", "true")
    assert page.request.patch(f"/api/v1/cameras/{LAWN}", data={"listen": False}).ok


def test_the_site_mode_is_set_from_any_page(page: Page) -> None:
    """And is the server's, so that rules and other people see it."""
    page.goto("/live")
    page.get_by_test_id("site-mode").click()
    page.get_by_role("button", name="Armed").click()
    expect(page.get_by_test_id("site-mode")).to_have_attribute("data-mode", "armed")
    assert page.request.get("/api/v1/site/mode").json()["mode"] == "armed"
    page.request.put("/api/v1/site/mode", data={"mode": "home"})


def test_a_drawn_zone_and_its_rule_report_an_event_that_is_judged(
    blank: Page, place: Any, until: Until
) -> None:
    """Real people come into the zone; the card names rule and zone, and what is said of it is in the
    camera's measured card."""
    if not place.has_street:
        pytest.skip("no footage of people: set BEHOLDEN_FOOTAGE to a folder with vtest.avi")
    page = blank
    _draw_a_large_zone(page, "Path")
    page.goto(f"/rules/new?camera={STREET}")
    page.get_by_label("Where").select_option(label="Path")
    page.get_by_label("Reported as").select_option("alert")
    page.get_by_label("at most one in").fill("5")
    page.get_by_test_id("save-rule").click()
    expect(page).to_have_url(re.compile(r"/rules/\d+$"))
    rule = int(page.url.rsplit("/", 1)[1])
    page.get_by_role("switch").click()
    page.get_by_role("dialog").get_by_role("button", name="Switch on untested").click()
    expect(page.get_by_role("switch")).to_have_attribute("aria-checked", "true")
    page.goto("/review?severity=alert")
    card = page.locator(f'[data-testid="event-card"][data-rule="{rule}"]').first
    card.wait_for(timeout=120_000)
    expect(card).to_contain_text("A person comes into Path")
    expect(card).to_contain_text("Street · Path")
    number = card.get_attribute("data-event")
    card = page.locator(f'[data-testid="event-card"][data-event="{number}"]')
    for word in ("Right", "Wrong"):
        card.get_by_role("button", name=f"{word}:").click()
        expect(card).to_have_attribute("data-verdict", word.lower())
    assert page.request.get(f"/api/v1/events/{number}").json()["verdict"] == "wrong"
    page.goto(f"/rules?camera={STREET}")
    row = page.get_by_test_id(f"card-{STREET}").locator("tr", has_text="A person comes into Path")
    expect(row.locator("td").nth(2)).to_have_text("1")


def _draw_a_large_zone(page: Page, name: str) -> None:
    page.goto(f"/cameras/{STREET}/places")
    page.get_by_test_id("add-zone").click()
    page.get_by_label("Name").fill(name)
    for point, ways in (
        (0, ("Left", "Up")),
        (1, ("Right", "Up")),
        (2, ("Right", "Down")),
        (3, ("Left", "Down")),
    ):
        page.locator(f'[data-point="{point}"]').focus()
        for way in ways:
            for _ in range(11):
                page.keyboard.press(f"Shift+Arrow{way}")
    page.get_by_test_id("save-places").click()
    expect(page.get_by_text("The places are saved.")).to_be_visible()


def test_what_was_missed_is_drawn_on_its_instant(page: Page, place: Any) -> None:
    """A box on the still of what is being played, noted for the camera."""
    if not place.has_street:
        pytest.skip("no footage of people: set BEHOLDEN_FOOTAGE to a folder with vtest.avi")
    seen = datetime.now(UTC) - timedelta(seconds=6)
    page.goto(f"/playback?camera={STREET}&at={seen:%Y-%m-%dT%H:%M:%S.000Z}")
    expect(page.get_by_test_id("playback-stage")).to_have_attribute("data-phase", re.compile("ready|end"))
    page.get_by_role("button", name="Missed").click()
    dialog = page.get_by_test_id("missed-dialog")
    dialog.locator('[data-point="0"]').focus()
    page.keyboard.press("Shift+ArrowLeft")
    dialog.get_by_role("button", name="Note as missed").click()
    expect(dialog).to_have_count(0)
    (missed,) = page.request.get(f"/api/v1/cameras/{STREET}/missed").json()["missed"]
    assert missed["kind"] == "person"
    assert missed["box"]["left"] < 0.4
    assert missed["box"]["right"] == pytest.approx(0.6)
    page.request.delete(f"/api/v1/missed/{missed['id']}")


def test_a_rule_is_tested_on_what_was_recorded_then_switched_on(
    blank: Page, place: Any, until: Until
) -> None:
    """The back-test shows what it would have reported, with a way to each moment; a tested rule needs no
    question."""
    if not place.has_street:
        pytest.skip("no footage of people: set BEHOLDEN_FOOTAGE to a folder with vtest.avi")
    page = blank
    until(lambda: _finished(page) > 0 and _seen(page) > 2, "people are in a finished file", 150)
    page.goto(f"/rules/new?camera={STREET}")
    page.get_by_test_id("save-rule").click()
    expect(page).to_have_url(re.compile(r"/rules/\d+$"))
    page.get_by_label("Over").select_option(label="the last hour")
    test = page.get_by_test_id("backtest")
    page.get_by_test_id("run-backtest").click()
    expect(test).to_have_attribute("data-state", "done", timeout=120_000)
    hit = page.get_by_test_id("backtest-hit").first
    expect(hit).to_contain_text("Person")
    switch = page.get_by_role("switch")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(page.get_by_role("dialog")).to_have_count(0)
    hit.get_by_role("link").click()
    expect(page.get_by_test_id("playback-stage")).to_be_visible()


def _finished(page: Page) -> float:
    return float(page.request.get(f"/api/v1/cameras/{STREET}").json()["kept"]["seconds"])


def _seen(page: Page) -> int:
    return len(page.request.get(f"/api/v1/events?camera={STREET}").json()["events"])
