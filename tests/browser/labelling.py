"""Uses Label Studio's pages as people do: presses buttons and reads what is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from backend.demo.show import EMAIL, PASSWORD

PATIENCE = 60_000.0
"""Milliseconds that one step may take: Label Studio and its pages share a machine with whatever else runs."""

_REGIONS = """regions => regions.map(region => ({
    text: region.textContent, label: region.dataset.label, colour: getComputedStyle(region).backgroundColor,
}))"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A region as it is shown in the text: its words, its label, and the red, green and blue behind them."""

    text: str
    label: str
    colour: tuple[int, int, int]


def signed_in(browser: Browser, url: str) -> BrowserContext:
    """A browser session of the demonstration's user at the Label Studio of that address."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, base_url=url, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto("/user/login/")
    page.locator("[name=email]").fill(EMAIL)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("[name=password]")).to_have_count(0, timeout=PATIENCE)
    page.close()
    return context


def label_all_tasks(page: Page, project: int) -> int:
    """Enter a project's label stream; return the number of the task it shows first."""
    page.goto(f"/projects/{project}/data")
    page.get_by_role("button", name="Label All Tasks").first.click()
    expect(page.locator(".lsf-richtext__line").first).to_be_visible(timeout=PATIENCE)
    return task_number(page)


def open_task(page: Page, project: int, task: int) -> None:
    """Open a task from the project's table, with all its annotations and predictions."""
    page.goto(f"/projects/{project}/data?task={task}")
    expect(page.locator(".lsf-richtext__line").first).to_be_visible(timeout=PATIENCE)


def task_number(page: Page) -> int:
    return int(_task_number(page).inner_text().split()[0])


def submit(page: Page) -> int:
    """Press Submit; return the number of the task that comes then."""
    before = _task_number(page).inner_text()
    page.get_by_role("button", name="Submit", exact=False).first.click()
    expect(_task_number(page)).not_to_have_text(before, timeout=PATIENCE)
    expect(page.locator(".lsf-richtext__line").first).to_be_visible(timeout=PATIENCE)
    return task_number(page)


def _task_number(page: Page) -> Locator:
    return page.locator(".lsf-current-task__task-id")


def text(page: Page) -> str:
    return page.locator(".lsf-richtext__container").inner_text()


def regions(page: Page, *, number: int) -> list[Shown]:
    """The regions in the text, in its order, once there are ``number`` of them."""
    marks = page.locator(".lsf-richtext__container .htx-highlight")
    expect(marks).to_have_count(number, timeout=PATIENCE)
    shown: list[dict[str, Any]] = marks.evaluate_all(_REGIONS)
    return [Shown(region["text"], region["label"].partition(":")[2], _rgb(region["colour"])) for region in shown]


def region(page: Page, words: str) -> Locator:
    return page.locator(".lsf-richtext__container .htx-highlight", has_text=words).first


def _rgb(colour: str) -> tuple[int, int, int]:
    """``rgba(255, 181, 62, 0.3)``: the opacity depends on whether the region is selected."""
    red, green, blue, *_ = colour[colour.index("(") + 1 : -1].split(",")
    return int(red), int(green), int(blue)


def predictions_beside(page: Page) -> Locator:
    """The tabs of a task's predictions, which show the version and the score."""
    return page.locator(".lsf-annotation-button").filter(has=page.get_by_text("%"))


def open_model_page(page: Page, project: int) -> Locator:
    """Settings → Model; return the card of the ML backend."""
    page.goto(f"/projects/{project}/settings/ml")
    card = page.locator("[class*=backend-card]").filter(has=page.get_by_label("Machine learning model options")).first
    expect(card).to_be_visible(timeout=PATIENCE)
    return card


def start_training(page: Page) -> None:
    """••• → Start Training, and again in the dialog; wait for its confirmation."""
    page.get_by_label("Machine learning model options").click()
    page.get_by_text("Start Training", exact=True).click()
    page.get_by_role("button", name="Start Training").click()
    expect(page.get_by_text("Request Sent!")).to_be_visible(timeout=PATIENCE)
