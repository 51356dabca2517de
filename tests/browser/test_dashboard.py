"""The dashboard in a real browser: keyboard, live updates, narrow screens, dark mode, and axe-core's rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from backend.loop import Loop
from tests.browser.sample_service import UID, start_run
from tests.browser.stages import EMPTY, FAILED, MANY, REJECTED, RIGHT_TO_LEFT, RIGHT_TO_LEFT_TEXT, STAGES

pytestmark = pytest.mark.browser

TEXT = "We ordered the pad thai and the ramen in Boston"
IDLE_INTERVAL = 6000
"""Milliseconds after which an open page asks for news while no run is going."""
expect.set_options(timeout=30_000)  # the machine may be busy with other tests

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
CONTRAST = ("color-contrast",)
LOOKS: tuple[tuple[Literal["light", "dark"], int, Sequence[str]], ...] = (
    ("light", 1280, RULES),
    ("dark", 1280, CONTRAST),
    ("dark", 360, RULES),
    ("light", 360, CONTRAST),
)
"""Colours change the contrast only, so the other rules are checked once for each width."""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that must not violate its policy, raise an error, or load anything from elsewhere.

    Tests request it after their service, so that it is closed first: an open page polls the service.
    """
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    watch(page, complaints)
    yield page
    context.close()
    assert complaints == []


def watch(page: Page, complaints: list[str]) -> None:
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith("http://127.0.0.1:") else complaints.append(request.url),
    )


def project_page(url: str, uid: str = UID) -> str:
    return f"{url}/projects/{uid}/"


def violations(page: Page, rules: Sequence[str] = RULES) -> list[str]:
    answer: list[dict[str, Any]] = Axe().run(page, options={"runOnly": list(rules)}).response["violations"]
    return [f"{rule['id']}: {node['html']} {node['failureSummary']}" for rule in answer for node in rule["nodes"]]


def check_looks(page: Page) -> None:
    """Wide and narrow, light and dark: nothing breaks a rule, and the page is not wider than its window."""
    for scheme, width, rules in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)
        assert violations(page, rules) == [], (scheme, width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (scheme, width)


# Anyone can read it

PATHS = (
    "", *(f"projects/{uid}/" for uid in STAGES), f"projects/{UID}/", f"projects/{UID}/label-issues",
    f"projects/{UID}/runs/000000000007", f"projects/{UID}/versions/ner-v5/serve",
    f"projects/{MANY}/label-issues", f"projects/{MANY}/compare?a=ner-v40&b=ner-v41",
    f"projects/{RIGHT_TO_LEFT}/compare", f"projects/{REJECTED}/compare",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_accessible_and_fits_its_width_at_each_stage(
    path: str, shown: tuple[str, Loop], page: Page
) -> None:
    page.goto(f"{shown[0]}/{path}")
    check_looks(page)


@pytest.mark.parametrize("uid", [MANY, RIGHT_TO_LEFT])
def test_unfolded_lists_of_faulty_data_are_accessible(uid: str, shown: tuple[str, Loop], page: Page) -> None:
    page.goto(project_page(shown[0], uid))
    summaries = page.locator("#data summary")
    expect(summaries).to_have_text(["15 more (57 in all)", "15 more (312 in all)"])
    for summary in summaries.all():
        summary.click()
    expect(page.locator(".faults > li").last).to_be_visible()
    check_looks(page)


def test_pages_of_errors_are_accessible(browser: Browser, shown: tuple[str, Loop]) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    for path in ("projects/1.1/", "nowhere", f"projects/{UID}/runs/0"):
        page.goto(f"{shown[0]}/{path}")
        expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
        check_looks(page)
    context.close()


def test_page_without_a_project_is_accessible(empty: str, page: Page) -> None:
    page.goto(empty)
    expect(page.get_by_text("No project is connected yet.")).to_be_visible()
    check_looks(page)


def test_a_running_project_with_regions_and_a_question_is_accessible(own: tuple[str, Loop], page: Page) -> None:
    url, loop = own
    start_run(loop)
    page.goto(project_page(url))
    page.fill("#try-text", TEXT)
    page.click("#try-form button")
    page.wait_for_selector("mark")
    check_looks(page)
    page.click("#open-cancel-now")
    check_looks(page)


@pytest.mark.parametrize(
    ("uid", "important"),
    [
        (REJECTED, ("The last run: ner-v2 was rejected", "Labels that lost most against ner-v1", "Start training")),
        (FAILED, ("The last run failed", "Log of this run", "Start training")),
        (EMPTY, ("4 of 10 tasks are labelled.", "The first version is trained")),
        (
            MANY,
            (
                "The last run: ner-v41 was promoted",
                "How far are we",
                "5,556 left",
                "A_word_A_word_",
                "1,240 labelled tasks",
                "Label 24 with the name",
                "Roll back to ner-v40",
                "Label issues",
                "Download",
            ),
        ),
    ],
)
def test_nothing_important_is_outside_a_narrow_window(
    uid: str, important: tuple[str, ...], shown: tuple[str, Loop], page: Page
) -> None:
    page.set_viewport_size({"width": 380, "height": 800})
    page.goto(project_page(shown[0], uid))
    for text in important:
        box = page.get_by_text(text).first.bounding_box()
        assert box, text
        assert box["x"] >= 0, text
        assert box["x"] + box["width"] <= 380, text


def test_the_f1_and_examples_of_each_label_are_in_view_in_a_narrow_window(shown: tuple[str, Loop], page: Page) -> None:
    page.set_viewport_size({"width": 380, "height": 800})
    page.goto(project_page(shown[0], MANY))
    for column in (2, 3, 4):  # F1, its change, examples
        edges = page.locator(f".labels tbody tr > :nth-child({column})").evaluate_all(
            "cells => cells.map(cell => cell.getBoundingClientRect().right)"
        )
        assert len(edges) == 25
        assert max(edges) <= 380


# By keyboard


def test_training_is_started_and_cancelled_by_keyboard(own: tuple[str, Loop], page: Page) -> None:
    url, loop = own
    page.goto(project_page(url))
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    press_until(page, "Start training")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="is queued.")).to_be_visible()
    (run,) = [run for run in loop.runs(UID) if run.state == "queued"]
    press_until(page, "Cancel the running training")
    page.keyboard.press("Enter")
    question = page.get_by_role("dialog", name="Cancel the running training")
    expect(question).to_be_visible()
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    expect(page.locator("#open-cancel-now")).to_be_focused()
    page.keyboard.press("Enter")
    press_until(page, "End the run")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"Run {run.id} is cancelled.")).to_be_visible()
    assert loop.run(run.id).state == "cancelled"


def press_until(page: Page, name: str) -> None:
    """Press the Tab key until a button of that name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        text = page.evaluate("document.activeElement.textContent.replace(/\\s+/g, ' ').trim()")
        if text == name:
            return
    pytest.fail(f"Tab does not lead to {name!r}")


def test_everything_that_takes_the_focus_shows_it(page: Page, shown: tuple[str, Loop]) -> None:
    page.goto(project_page(shown[0]))
    focused = 0
    for _ in range(80):
        page.keyboard.press("Tab")
        outline, tag = page.evaluate(
            "[getComputedStyle(document.activeElement).outlineStyle, document.activeElement.tagName]"
        )
        if tag == "BODY":
            break
        assert outline != "none", page.evaluate("document.activeElement.outerHTML")
        focused += 1
    assert focused > 30


# Live


def test_progress_is_live_and_the_end_of_a_run_renews_the_page_in_place(own: tuple[str, Loop], page: Page) -> None:
    url, loop = own
    page.clock.install()
    page.goto(project_page(url))
    page.evaluate("window.stayed = true")
    page.fill("#try-text", "half a sentence")
    run = start_run(loop)
    loop.store.runs.update(run.id, attempt=1, phase="training", progress=0.25, eta_seconds=90)
    page.clock.fast_forward(IDLE_INTERVAL)
    expect(page.get_by_role("progressbar")).to_have_js_property("value", 0.25)
    expect(page.locator(".running")).to_contain_text("Training 25 % about 2 min left")
    loop.store.runs.update(run.id, attempt=1, phase="evaluating", progress=0.9, eta_seconds=9)
    expect(page.get_by_role("progressbar")).to_have_js_property("value", 0.9)
    expect(page.locator(".running")).to_contain_text("Evaluating 90 % about 9 s left")
    loop.store.runs.end(run.id, "failed", error="The disk is full.")
    expect(page.get_by_text("The last run failed")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    expect(page.locator("#try-text")).to_have_value("half a sentence")
    assert page.evaluate("window.stayed")


def test_labels_are_counted_while_the_page_is_open(own: tuple[str, Loop], page: Page) -> None:
    url, loop = own
    page.clock.install()
    page.goto(project_page(url))
    loop.annotations_saved(UID, {5000: 700})
    page.clock.fast_forward(IDLE_INTERVAL)
    expect(page.locator("[data-text=labelled]")).to_have_text(["608", "608"])
    expect(page.locator("[data-text=left-tasks]")).to_have_text("379")
    expect(page.locator("[data-text=changed]")).to_have_text("8")


# Try it


def test_regions_have_the_projects_colours(page: Page, shown: tuple[str, Loop]) -> None:
    page.goto(project_page(shown[0]))
    page.fill("#try-text", f"🍣🍕 {TEXT}")
    page.get_by_role("button", name="Show its regions").click()
    expect(page.locator(".try-result")).to_have_count(2)
    region = page.locator("mark", has_text="pad thai").first
    expect(region).to_have_css("background-color", "rgb(255, 181, 62)")
    expect(region).to_have_css("color", "rgb(0, 0, 0)")
    assert page.locator(".try-result .text").first.inner_text().startswith("🍣🍕 We ordered the pad thai")


def test_text_is_read_in_its_own_direction_and_its_characters_are_counted(page: Page, shown: tuple[str, Loop]) -> None:
    page.goto(project_page(shown[0]))
    page.fill("#try-text", RIGHT_TO_LEFT_TEXT)
    expect(page.locator("#try-text")).to_have_css("direction", "rtl")
    expect(page.locator("#try-limit")).to_have_text(f"{len(RIGHT_TO_LEFT_TEXT)} of at most 10,000 characters.")
    page.get_by_role("button", name="Show its regions").click()
    expect(page.locator(".try-result .text").first).to_have_css("direction", "rtl")
    page.fill("#try-text", "🍣" * 10_001)
    expect(page.locator("#try-limit")).to_have_text("10,001 of at most 10,000 characters: remove 1.")
    page.get_by_role("button", name="Show its regions").click()
    expect(page.get_by_role("alert")).to_have_text("The text has 10,001 characters: paste at most 10,000.")


# Without JavaScript


def test_everything_works_without_javascript(browser: Browser, own: tuple[str, Loop]) -> None:
    url, loop = own
    context = browser.new_context(java_script_enabled=False, viewport={"width": 380, "height": 800})
    page = context.new_page()
    page.goto(project_page(url))
    page.get_by_role("link", name="Roll back to ner-v5").first.click()
    page.get_by_role("button", name="Roll back to ner-v5").click()
    expect(page.get_by_text("ner-v5 serves now; its predictions are being sent to Label Studio.")).to_be_in_viewport()
    assert loop.store.projects.current_version(UID) == "ner-v5"
    page.click("#open-delete-ner-v4")
    page.get_by_role("button", name="Delete the files").click()
    expect(page.get_by_text("The files of ner-v4 are deleted; its figures stay.")).to_be_visible()
    assert not loop.registry.folder(UID, "ner-v4").exists()
    page.fill("#try-text", TEXT)
    page.click("#try-form button")
    expect(page.locator("mark").first).to_contain_text("pad thai")
    context.close()
