"""``/predict`` for tasks with several texts, texts made of several fields, and texts that are addresses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.errors import BackendError, LabelStudioUnreachable, SettingsError, TextUnavailable
from backend.label_studio.texts import REQUEST_SECONDS
from backend.loop import Loop
from backend.registry import UNTRAINED
from backend.settings import Settings
from backend.store.models import Version
from tests.backend.fakes import LABEL_CONFIG, UID, WholeTextTagger
from tests.backend.shown_texts import SHOWN_TEXTS

Publish = Callable[..., Version]

TWO_TEXTS = """<View>
  <Text name="head" value="$title"/><Labels name="kinds" toName="head"><Label value="Cuisine"/></Labels>
  <Text name="body" value="$body"/>
  <Labels name="dishes" toName="body"><Label value="Dish"/><Label value="Cuisine"/></Labels>
</View>"""

URL_TEXT = LABEL_CONFIG.replace('value="$text"', 'value="$text" valueType="url"')


def predict(client: FlaskClient, *tasks: Any, config: str = TWO_TEXTS, **fields: Any) -> list[dict[str, Any]]:
    body = {"project": UID, "label_config": config, "tasks": tasks, **fields}
    answer = client.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.get_json()["results"]
    assert len(results) == len(tasks)
    return results


def two(title: Any = None, body: Any = None) -> dict[str, Any]:
    return {"id": 1, "data": {"title": title, "body": body}}


def regions(result: dict[str, Any]) -> list[tuple[str, str, str, int, str]]:
    return [
        (region["from_name"], region["to_name"], *region["value"]["labels"], region["value"]["start"],
         region["value"]["text"])
        for region in result["result"]
    ]  # fmt: skip


# Several texts


def test_task_gets_one_result_for_all_its_texts(client: FlaskClient, publish: Publish, fake_models: list[str]) -> None:
    publish("ner-v1")
    results = predict(client, two("sushi", "a sushi"), two(None, "sushi"), two("sushi"), two())
    assert [regions(result) for result in results] == [
        [("dishes", "body", "Dish", 2, "sushi")],
        [("dishes", "body", "Dish", 0, "sushi")],
        [],
        [],
    ]
    assert [result["score"] for result in results] == [1 / 8, 1 / 6, 1 / 6, 1.0]
    assert {result["model_version"] for result in results} == {"ner-v1"}


def test_text_of_a_part_of_its_own_is_answered(client: FlaskClient, publish: Publish, version_folder: Path) -> None:
    publish("ner-v1", files=version_folder)
    long = "so " * 50_000 + "Who makes the best sushi for kids?"
    results = predict(client, two(long, long), two("find me some Thai food", long))
    texts = [{(to_name, text) for _, to_name, _, _, text in regions(result)} for result in results]
    assert [("body", "sushi") in of_task for of_task in texts] == [True, True]
    assert ("head", "Thai") in texts[1]


@pytest.mark.parametrize("tasks", [[two()], [{}], [two(), {}], [two("", None)], [two("", "")]])
def test_task_without_a_text_has_the_same_score_alone_and_among_others(
    client: FlaskClient, publish: Publish, version_folder: Path, tasks: list[dict[str, Any]]
) -> None:
    publish("ner-v1", files=version_folder)
    for others in ([], [two("find me some Thai food", "or sushi")]):
        body = {"project": UID, "label_config": TWO_TEXTS, "tasks": [*tasks, *others]}
        results = client.post("/predict", json=body).get_json()["results"]
        assert [(result["result"], result["score"]) for result in results[: len(tasks)]] == [([], 1.0)] * len(tasks)


def context(text_name: str, control: str, start: int, end: int, label: str) -> dict[str, Any]:
    """The parameters of a request after an annotator has marked a region, with Auto-Annotation on."""
    value = {"start": start, "end": end, "labels": [label]}
    region = {"id": "new", "from_name": control, "to_name": text_name, "type": "labels", "value": value}
    return {"context": {"result": [region]}}


@pytest.mark.parametrize("suggest", ["words", "model"])
@pytest.mark.parametrize("trained", [False, True])
def test_suggestions_are_on_the_marked_text_and_model_regions_on_all_where_they_are_set(
    trained: bool,
    suggest: str,
    client: FlaskClient,
    loop: Loop,
    make_settings: Callable[..., Settings],
    publish: Publish,
    fake_models: list[str],
) -> None:
    loop.settings = make_settings(suggest=suggest)
    if trained:
        publish("ner-v1")
    task = two("thai, thai", "thai, thai, sushi")
    [result] = predict(client, task, params=context("body", "dishes", 0, 4, "Cuisine"))
    of_model = [("dishes", "body", "Dish", 12, "sushi")] * (trained and suggest == "model")
    assert regions(result) == [("dishes", "body", "Cuisine", 6, "thai"), *of_model]
    [result] = predict(client, task, params=context("head", "kinds", 0, 4, "Cuisine"))
    assert regions(result) == [("kinds", "head", "Cuisine", 6, "thai"), *of_model]
    assert result["model_version"] == ("ner-v1" if trained else UNTRAINED)


# What the editor shows


@pytest.mark.parametrize(("value", "data", "shown"), SHOWN_TEXTS.values(), ids=SHOWN_TEXTS.keys())
def test_offsets_count_in_the_text_that_the_editor_shows(
    value: str, data: dict[str, Any], shown: str, client: FlaskClient, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.registry.Tagger.load", lambda folder, **options: WholeTextTagger())
    publish("ner-v1")
    [result] = predict(client, {"id": 1, "data": data}, config=LABEL_CONFIG.replace("$text", value))
    [region] = result["result"]
    assert region["value"] == {"start": 0, "end": len(shown), "text": shown, "labels": ["Dish"]}


# Addresses


class Files:
    """Stands in for `open_text_loader`: the content or the error of each address; ``loaded`` lists those read."""

    def __init__(self, **content: str | BackendError) -> None:
        self.content = content
        self.loaded: list[str] = []
        self.seconds: float | None = None

    def __call__(self, _settings: object, _project: object, *, total_seconds: float) -> Callable[[str], str]:
        self.seconds = total_seconds
        return self.load

    def load(self, url: str) -> str:
        self.loaded.append(url)
        content = self.content[url.strip("/")]
        if isinstance(content, BackendError):
            raise content
        return content


def by_address(address: str, number: int = 1) -> dict[str, Any]:
    return {"id": number, "data": {"text": address}}


def test_texts_at_addresses_are_read_within_a_time_limit(
    client: FlaskClient, publish: Publish, fake_models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(a="some sushi", b="sushi")
    monkeypatch.setattr("backend.loop.open_text_loader", files)
    publish("ner-v1")
    results = predict(client, by_address("/a"), by_address("/b"), {"id": 3, "data": {}}, config=URL_TEXT)
    starts = [[region["value"]["start"] for region in result["result"]] for result in results]
    assert starts == [[5], [0], []]
    assert (files.loaded, files.seconds) == (["/a", "/b"], REQUEST_SECONDS)


@pytest.mark.parametrize(
    "error",
    [TextUnavailable("It is too large."), LabelStudioUnreachable("It is down."), SettingsError("There is no token.")],
)
def test_text_that_cannot_be_read_is_an_empty_result_and_named_in_the_log(
    error: BackendError,
    client: FlaskClient,
    publish: Publish,
    fake_models: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("backend.loop.open_text_loader", Files(a=error, b="sushi"))
    publish("ner-v1")
    with caplog.at_level(logging.WARNING, "backend.web.calls"):
        results = predict(client, by_address("/a", 41), by_address("/b"), config=URL_TEXT)
    assert [len(result["result"]) for result in results] == [0, 1]
    assert results[0]["score"] == 1.0
    assert [record.getMessage() for record in caplog.records] == [
        f"project {UID}: task 41 gets an empty result: {error}"
    ]
    assert predict(client, by_address("/a"), config=URL_TEXT)[0]["result"] == []


def test_no_loader_is_opened_for_texts_that_tasks_hold_themselves(
    client: FlaskClient, publish: Publish, fake_models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files()
    monkeypatch.setattr("backend.loop.open_text_loader", files)
    publish("ner-v1")
    predict(client, by_address("sushi"), config=LABEL_CONFIG)
    assert files.seconds is None
