from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.store.models import Version
from backend.web.dashboard.try_it import MAX_CHARACTERS, Segment, segments
from converters.document import Span
from tests.backend.web.dashboard.conftest import Lead, plain

TEXT = "🍣 Who makes the best sushi?\r\nThe sushi <b>bar</b>"


def test_a_text_is_cut_at_its_spans() -> None:
    dish, place = Span(3, 6, "Dish", 0.9), Span(6, 8, "Location", None)
    assert segments("🍣🍕 abcde", [dish, place]) == (
        Segment("🍣🍕 "), Segment("abc", dish), Segment("de", place),
    )  # fmt: skip
    assert segments("", []) == ()
    assert segments("ab", [Span(0, 2, "Dish")]) == (Segment("ab", Span(0, 2, "Dish")),)


@pytest.mark.usefixtures("fake_models")
def test_regions_are_shown_version_by_version(lead: Lead, publish: Callable[..., Version]) -> None:
    publish("ner-v1")
    publish("ner-v2")
    answer = lead.post("try", text=TEXT, version=["ner-v2", "ner-v1"])
    assert answer.status_code == 200
    page = plain(answer.text)
    assert page.index("ner-v2 serves 🍣") < page.index("ner-v1 🍣")
    assert answer.text.count('<mark class="label-0">sushi') == 4
    assert "sushi ( Dish 0.90 )" in page
    assert "2 regions; confidence in the whole text" in page
    assert "<b>bar</b>" not in answer.text
    assert "&lt;b&gt;bar&lt;/b&gt;" in answer.text
    assert "Try it" in answer.text


@pytest.mark.usefixtures("fake_models")
def test_a_fragment_is_the_regions_alone(lead: Lead, publish: Callable[..., Version]) -> None:
    publish()
    answer = lead.post("try", text="sushi", version="ner-v1", fragment="yes")
    assert "<html" not in answer.text
    assert "<mark" in answer.text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"text": " \n", "version": "ner-v1"}, "Paste a text"),
        ({"version": "ner-v1"}, "Paste a text"),
        ({"text": "x" * (MAX_CHARACTERS + 1), "version": "ner-v1"}, "The text has 10,001 characters"),
        ({"text": "sushi"}, "Choose at least one version"),
        ({"text": "sushi", "version": [f"ner-v{n}" for n in range(1, 6)]}, "choose at most 4"),
    ],
)
def test_invalid_input_is_explained(
    fields: dict[str, object], sentence: str, lead: Lead, publish: Callable[..., Version]
) -> None:
    publish()
    page = lead.post("try", **fields).text
    assert sentence in page
    assert str(fields.get("text", "")).strip() in page
    assert "maxlength" not in page
    assert "At most 10,000 characters." in page
    assert sentence in lead.post("try", fragment="yes", **fields).text


@pytest.mark.usefixtures("fake_models")
def test_a_version_that_cannot_answer_says_so_beside_one_that_can(lead: Lead, publish: Callable[..., Version]) -> None:
    publish("ner-v1")
    publish("ner-v2")
    lead.press("versions/ner-v1/delete")
    page = plain(lead.post("try", text="sushi", version=["ner-v1", "ner-v2", "ner-v9"]).text)
    assert "were removed to save space" in page
    assert "has no model version 'ner-v9'" in page
    assert "1 region; confidence" in page


def test_a_damaged_version_says_so(lead: Lead, publish: Callable[..., Version]) -> None:
    publish()  # an empty folder
    answer = lead.post("try", text="sushi", version="ner-v1")
    assert answer.status_code == 200
    assert "config.json" in answer.text


def test_a_form_far_too_large_is_refused(lead: Lead, publish: Callable[..., Version]) -> None:
    publish()
    answer = lead.client.post("/projects/7.1795221978/try", data={"text": "x" * 2_000_000})
    assert answer.status_code == 413
    assert "<h1>" in answer.text


def test_a_real_model_answers(lead: Lead, publish: Callable[..., Version], version_folder: Path) -> None:
    publish(files=version_folder)
    answer = lead.post("try", text="🍣 We ordered the pad thai and the ramen.", version="ner-v1")
    assert 'class="label-0">pad thai' in answer.text
