"""What Label Studio's editor shows and stores: the texts of templates, and the offsets of regions drawn by hand."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from converters import Span, read_tasks
from label_config import LabelConfig, generate
from tests.browser import labelling
from tests.browser.labelling import PATIENCE
from tests.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.label_studio, pytest.mark.timeout(600)]

VALUES = (
    "$number", "$price", "$whole", "$flag", "$list", "$mail.body", "$pages[1].text", "Subject: $subject, $mail.body",
    "a $subject: $missing", "($empty)", "($number/$price)", "$large", "$small",
)  # fmt: skip
DATA: dict[str, Any] = {
    "number": 4821077,
    "price": 12.5,
    "whole": 3.0,
    "flag": True,
    "list": ["Ana came", None, 2, ["x", "y"]],
    "mail": {"body": "Ana asked"},
    "pages": [{"text": "one"}, {"text": "two"}],
    "subject": "Refund",
    "empty": None,
    "large": 1e21,
    "small": 0.00000015,
}

MESSY = (
    "🍣🍕 great pad thai 👍🏽 in  New\tYork",
    "first line\r\nsecond Ana line\nthird Bo\r\n\r\nlast",
    "caf\u00e9 cafe\u0301 \u00a0 na\u00efve \u200b ZWSP e\u0301t\u00e9",
    "a\\nb <b>bold</b> &amp; AT&T \"quoted\" 'x'",
    "吴重阳先生 住在 北京。 مرحبا بالعالم end",
    "trailing   spaces   \n\n   and more   ",
)


def test_editor_shows_the_text_that_is_read(site: Site, label_studio_page: Page) -> None:
    tags = "".join(
        f'<Labels name="l{i}" toName="t{i}"><Label value="A"/></Labels><Text name="t{i}" value="{value}"/>'
        for i, value in enumerate(VALUES)
    )
    config = LabelConfig.from_xml(f"<View>{tags}</View>")
    project = site.label_studio.create_project("values", f"<View>{tags}</View>")
    [task] = site.label_studio.import_tasks(project.id, [{"data": DATA | {"missing": "x", "empty": "x"}}])
    site.api("PATCH", f"/api/tasks/{task}/", json={"data": DATA})
    labelling.open_task(label_studio_page, project.id, task)
    shown = label_studio_page.locator(".lsf-richtext__container")
    expect(shown).to_have_count(len(VALUES), timeout=PATIENCE)
    texts = [shown.nth(index).inner_text().strip() for index in range(len(VALUES))]
    assert texts == [text.shown(DATA) for text in config.texts]


def test_regions_drawn_in_the_editor_are_read_as_they_were_drawn(site: Site, label_studio_page: Page) -> None:
    xml = generate(["Dish", "Place"])
    project = site.label_studio.create_project("messy texts", xml)
    tasks = site.label_studio.import_tasks(project.id, [{"data": {"text": text}} for text in MESSY])
    for number in tasks:
        draw_words(label_studio_page, project.id, number)
    exported = site.label_studio.labelled_tasks(project.id)
    documents, report = read_tasks(exported, LabelConfig.from_xml(xml))
    assert report.problems() == {}
    assert [document.text for document in documents] == list(MESSY)
    for document, task in zip(documents, exported, strict=True):
        values = [result["value"] for result in task["annotations"][0]["result"]]
        drawn = {Span(value["start"], value["end"], "Dish"): value for value in values}
        assert set(document.spans) == set(drawn)
        assert len(document.spans) >= 2
        for span, value in drawn.items():
            assert "".join(document.text[span.start : span.end].split()) == "".join(value["text"].split())


def test_region_over_line_ends_is_read_as_it_was_drawn(site: Site, label_studio_page: Page) -> None:
    xml = generate(["Dish"])
    texts = [
        "Hi Ana\nLopez",
        "Hi Ana\r\nLopez",
        "Hi Ana\n\n\nLopez",
        "Hi Ana  \n  Lopez",
        "Hi Ana\rLopez",
        "a\\nb\nLopez",
    ]
    project = site.label_studio.create_project("line ends", xml)
    for task in site.label_studio.import_tasks(project.id, [{"data": {"text": text}} for text in texts]):
        draw_words(label_studio_page, project.id, task, whole=True)
    exported = site.label_studio.labelled_tasks(project.id)
    documents, report = read_tasks(exported, LabelConfig.from_xml(xml))
    assert report.issues == []
    assert [document.text[document.spans[0].start : document.spans[0].end] for document in documents] == texts
    stored = [task["annotations"][0]["result"][0]["value"]["text"] for task in exported]
    assert stored[0] == "Hi Ana\\nLopez"  # how the editor stores a line end


_WORDS = """container => {
    const walker = document.createTreeWalker(container, NodeFilter.SHOW_TEXT);
    const boxes = [];
    for (let node; node = walker.nextNode();) {
        for (const match of node.data.matchAll(/\\S+/g)) {
            const range = document.createRange();
            range.setStart(node, match.index);
            range.setEnd(node, match.index + match[0].length);
            const box = range.getBoundingClientRect();
            if (box.width > 3) boxes.push([box.left, box.right, box.top + box.height / 2]);
        }
    }
    return boxes;
}"""


def draw_words(page: Page, project: int, task: int, *, whole: bool = False) -> None:
    """Mark some words of a task by dragging over them, or ``whole`` all of them as one region, then submit."""
    labelling.open_task(page, project, task)
    page.wait_for_load_state("networkidle")  # the editor starts again once it has all of the task
    container = page.locator(".lsf-richtext__container").first
    boxes: list[list[float]] = container.evaluate(_WORDS)
    marks = page.locator(".lsf-richtext__container .htx-highlight")
    # The last first: a region's label moves the words after it.
    drags = [(boxes[0], boxes[-1])] if whole else [(box, box) for box in boxes[::2]]
    for number, ((left, _, top), (_, right, bottom)) in enumerate(reversed(drags), start=1):
        deadline = time.monotonic() + PATIENCE / 1000
        while marks.count() < number and time.monotonic() < deadline:  # the page ignores the mouse while it loads
            page.keyboard.press("1")
            page.mouse.move(left + 1, top)
            page.mouse.down()
            page.mouse.move(right - 1, bottom, steps=4)
            page.mouse.up()
            page.keyboard.press("Escape")
            page.wait_for_timeout(200)
    with page.expect_response(lambda response: _stores_annotation(response), timeout=PATIENCE):
        page.get_by_role("button", name="Submit", exact=False).first.click()


def _stores_annotation(response: Any) -> bool:
    return response.request.method == "POST" and "/annotations" in response.url
