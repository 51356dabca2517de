"""The HTTP interface as its clients see it; what the loop does is in ``test_loop.py``."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from backend.errors import ModelError
from backend.inference.tagger import Tagging
from backend.loop import Loop
from backend.registry import UNTRAINED, Registry
from backend.service import open_service
from backend.settings import Settings
from backend.store import Store
from backend.store.models import Version
from backend.store.phrases import PHRASES
from backend.web.app import create_app
from backend.web.failures import status_line
from converters.phrases import Phrase
from tests import samples
from tests.backend.fakes import LABEL_CONFIG, UID, FakeQueue, SushiTagger, WholeTextTagger, event, saved, settle

Publish = Callable[..., Version]

NO_PAIR = '<View><Text name="text" value="$text"/></View>'
TEXT = "🍣🍕 Who makes the best sushi for kids?"


def task(text: Any, number: int = 1) -> dict[str, Any]:
    return {"id": number, "data": {"text": text}}


def predict(client: FlaskClient, *tasks: Any, **fields: Any) -> list[dict[str, Any]]:
    """The results of a request that succeeds."""
    body = {"project": UID, "label_config": LABEL_CONFIG, "tasks": tasks, **fields}
    answer = client.post("/predict", json=body)
    assert answer.status_code == HTTPStatus.OK, answer.text
    results: list[dict[str, Any]] = answer.get_json()["results"]
    assert len(results) == len(tasks)
    return results


def post(client: FlaskClient, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a webhook."""
    answer = client.post("/webhook", json=body)
    assert answer.status_code == HTTPStatus.OK, answer.text
    content: dict[str, Any] = answer.get_json()
    return content


def assert_explained(answer: TestResponse, status: int, *words: str) -> None:
    """The answer is a refusal: one sentence with these words in the body and, as Latin-1, in the status line."""
    assert answer.status_code == status, answer.text
    assert set(answer.get_json()) == {"error"}
    sentence = answer.get_json()["error"]
    for word in words:
        assert word in sentence
    assert "Traceback" not in answer.text
    assert sentence.endswith(".")
    assert answer.status == status_line(sentence, status)


@pytest.fixture
def registered(store: Store) -> str:
    """The uid of a registered project."""
    return store.projects.save(UID, title="Restaurants", label_config=LABEL_CONFIG).uid


# Health and setup


def test_health_is_up(client: FlaskClient) -> None:
    for path in ("/health", "/"):
        answer = client.get(path)
        assert (answer.status_code, answer.get_json()["status"]) == (200, "UP")


def test_setup_names_the_version_and_opens_no_model(
    client: FlaskClient, store: Store, publish: Publish, fake_models: list[str]
) -> None:
    body = {"project": UID, "schema": LABEL_CONFIG, "extra_params": {"epochs": 5}}
    assert client.post("/setup", json=body).get_json() == {"model_version": UNTRAINED}
    store.phrases.save(UID, [Phrase("sushi", "Dish")], revision=1)
    assert client.post("/setup", json=body).get_json() == {"model_version": PHRASES}
    publish("ner-v1")
    assert client.post("/setup", json=body).get_json() == {"model_version": "ner-v1"}
    assert fake_models == []
    project = store.projects.get(UID)
    assert (project.label_config, project.extra_params) == (LABEL_CONFIG, {"epochs": 5})


@pytest.mark.parametrize(
    ("extra_params", "kept"),
    [
        (None, {}),
        ("", {}),
        ({}, {}),
        ('{"learning_rate": 1e-4, "warm_start": false}', {"learning_rate": 1e-4, "warm_start": False}),
    ],
)
def test_extra_params_may_be_sent_as_text(
    client: FlaskClient, store: Store, extra_params: object, kept: dict[str, object]
) -> None:
    body = {"project": UID, "schema": LABEL_CONFIG, "extra_params": extra_params}
    assert client.post("/setup", json=body).status_code == 200
    assert store.projects.get(UID).extra_params == kept


@pytest.mark.parametrize(
    ("extra_params", "sentence"),
    [
        ("epochs=5", "must be a JSON object"),
        ([5], "must be a JSON object"),
        ({"epoch": 5}, "epoch is not a training parameter, use epochs, learning_rate"),
        ({"epochs": 0}, "epochs: input should be greater than 0"),
        ({"learning_rate": "fast", "seed": -1}, "learning_rate: input should be a valid number"),
    ],
)
def test_unusable_extra_params_are_refused_with_a_sentence(
    client: FlaskClient, store: Store, extra_params: object, sentence: str
) -> None:
    answer = client.post("/setup", json={"project": UID, "schema": LABEL_CONFIG, "extra_params": extra_params})
    assert answer.status_code == 400
    assert sentence in answer.get_json()["error"]
    assert store.projects.find(UID) is None


@pytest.mark.parametrize(
    ("hostname", "kept"),
    [
        ("http://localhost:8080", "t0ken"),
        ("http://localhost:8080/", "t0ken"),
        ("http://evil.example:8080", None),
        ("https://localhost:8080", None),
        ("http://[", None),
        ("", None),
        (None, None),
    ],
)
def test_access_token_is_kept_only_from_the_configured_label_studio(
    hostname: str | None, kept: str | None, client: FlaskClient, store: Store
) -> None:
    body = {"project": UID, "schema": LABEL_CONFIG, "hostname": hostname, "access_token": "t0ken"}
    assert client.post("/setup", json=body).status_code == HTTPStatus.OK
    assert store.projects.get(UID).access_token == kept


# Predict


def test_each_task_gets_one_result_in_order(client: FlaskClient, publish: Publish, fake_models: list[str]) -> None:
    publish("ner-v1")
    tasks = [task("nothing to eat"), task(None), task("sushi"), "no task", task("🍣 sushi sushi"), {"id": 9}, task("")]
    results = predict(client, *tasks)
    assert [len(result["result"]) for result in results] == [0, 0, 1, 0, 2, 0, 0]
    assert {result["model_version"] for result in results} == {"ner-v1"}
    assert all(0 <= result["score"] <= 1 for result in results)
    assert [result["score"] for result in results if not result["result"]][1:] == [1.0] * 4


def test_region_has_the_form_that_label_studio_stores(
    client: FlaskClient, publish: Publish, fake_models: list[str]
) -> None:
    publish("ner-v1")
    (result,) = predict(client, task("🍣🍕 great sushi"))
    (region,) = result["result"]
    assert region.pop("id")
    assert region == {
        "from_name": "label",
        "to_name": "text",
        "type": "labels",
        "value": {"start": 9, "end": 14, "text": "sushi", "labels": ["Dish"]},
        "score": 0.9,
    }


def test_labels_the_project_no_longer_has_are_left_out(
    client: FlaskClient, publish: Publish, fake_models: list[str]
) -> None:
    publish("ner-v1")
    config = LABEL_CONFIG.replace('<Label value="Dish"/>', "")
    assert predict(client, task("sushi"), label_config=config)[0]["result"] == []


def test_project_without_a_version_gets_empty_results_that_say_so(client: FlaskClient) -> None:
    assert predict(client, task("sushi"), task("")) == [{"result": [], "score": 0.0, "model_version": UNTRAINED}] * 2


def test_project_without_a_version_gets_its_phrases(client: FlaskClient, store: Store) -> None:
    store.projects.save(UID, label_config=LABEL_CONFIG)
    store.phrases.save(UID, [Phrase("Sushi", "Dish", 3, 4)], revision=1)
    first, second = predict(client, task("best sushi"), task("ramen"))
    assert (first["model_version"], first["score"]) == (PHRASES, 0.0)
    (region,) = first["result"]
    assert (region["value"], region["score"]) == ({"start": 5, "end": 10, "text": "sushi", "labels": ["Dish"]}, 0.75)
    assert second == {"result": [], "score": 0.0, "model_version": PHRASES}


def test_configuration_of_setup_is_used_where_the_request_has_none(
    client: FlaskClient, publish: Publish, fake_models: list[str]
) -> None:
    publish("ner-v1")
    (result,) = predict(client, task("sushi"), label_config=None)
    assert result["result"][0]["from_name"] == "label"


@pytest.mark.parametrize("project", [None, "", 7, "7", 8, UID])
def test_project_without_a_version_may_be_named_by_its_number_or_not_at_all(
    project: object, client: FlaskClient
) -> None:
    assert predict(client, task("sushi"), project=project)[0]["model_version"] == UNTRAINED


def test_predict_request_may_lack_the_project(client: FlaskClient, publish: Publish, fake_models: list[str]) -> None:
    publish("ner-v1")
    answer = client.post("/predict", json={"tasks": [task("sushi")], "label_config": LABEL_CONFIG})
    assert answer.get_json() == {"results": [{"result": [], "score": 0.0, "model_version": UNTRAINED}]}


@pytest.mark.parametrize("project", [7, "7", "7.1795221978"])
@pytest.mark.parametrize("label_config", [None, LABEL_CONFIG])
def test_number_alone_means_the_newest_project_with_it(
    project: object, label_config: str | None, client: FlaskClient, publish: Publish, fake_models: list[str]
) -> None:
    publish("ner-v1", uid="7.999999999")
    publish("ner-v2")
    publish("ner-v3", uid="77.1795221979")
    (result,) = predict(client, task("sushi"), project=project, label_config=label_config)
    assert (result["model_version"], len(result["result"])) == ("ner-v2", 1)
    answers = [
        client.post("/setup", json={"project": project, "schema": LABEL_CONFIG}).get_json()["model_version"],
        *client.post("/versions", json={"project": project}).get_json()["versions"],
        *client.get("/versions", query_string={"project": project}).get_json()["versions"],
    ]
    assert answers == ["ner-v2"] * 3


def test_marked_words_are_suggested_without_a_project(client: FlaskClient) -> None:
    results = predict(client, task("thai or Thai"), project=None, params=marked(0, 4, "Cuisine"))
    assert region_texts(results) == [("Thai", "Cuisine")]


def test_named_version_answers(client: FlaskClient, publish: Publish, fake_models: list[str]) -> None:
    publish("ner-v1")
    publish("ner-v2")
    assert predict(client, task("sushi"), model_version="ner-v1")[0]["model_version"] == "ner-v1"


def test_bad_tasks_are_named_in_the_log(
    client: FlaskClient, publish: Publish, fake_models: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    publish("ner-v1")
    with caplog.at_level(logging.WARNING, "backend.web.calls"):
        predict(client, task("sushi"), task(None, 41), "x" * 1000)
    assert [record.getMessage() for record in caplog.records] == [
        f"project {UID}: task 41 gets an empty result: it has no text in data.text",
        f"project {UID}: task '{'x' * 39} gets an empty result: it has no text in data.text",
    ]


def test_real_version_answers_a_mixed_batch(client: FlaskClient, publish: Publish, version_folder: Path) -> None:
    publish("ner-v1", files=version_folder)
    tasks = [
        task(TEXT),
        task(None),
        task("please book a table for four at eight"),
        task(""),
        {"id": 5},
        task("find me some Thai food\r\n" * 200),
        task("lone \ud800 surrogate, the best sushi for kids"),
        task("is there a Thai restaurant downtown"),
    ]
    results = predict(client, *tasks)
    assert {result["model_version"] for result in results} == {"ner-v1"}
    assert all(0 <= result["score"] <= 1 for result in results)
    texts = [[region["value"]["text"] for region in result["result"]] for result in results]
    assert "sushi" in texts[0]
    assert texts[1:5] == [[], [], [], []]
    assert len(texts[5]) > 100
    assert "sushi" in texts[6]
    assert "Thai" in texts[7]
    for sent, result in zip(tasks, results, strict=True):
        for region in result["result"]:
            value = region["value"]
            assert sent["data"]["text"][value["start"] : value["end"]] == value["text"]


def test_any_text_is_answered_with_exact_offsets(client: FlaskClient, publish: Publish, version_folder: Path) -> None:
    publish("ner-v1", files=version_folder)
    texts = [odd + suffix for odd in samples.ODD_TEXTS.values() for suffix in ("", " the best sushi for kids", "\r\n")]
    results = predict(client, *map(task, texts))
    for text, result in zip(texts, results, strict=True):
        assert 0 <= result["score"] <= 1
        for region in result["result"]:
            value = region["value"]
            assert text[value["start"] : value["end"]] == value["text"] != ""


def test_large_request_is_answered_in_order(client: FlaskClient, publish: Publish, version_folder: Path) -> None:
    publish("ner-v1", files=version_folder)
    good = ["please book a table", "find me some Thai food", "is there a Thai place"]
    tasks = [task(None if number % 7 == 0 else good[number % 3], number) for number in range(1500)]
    results = predict(client, *tasks)
    for number, result in enumerate(results):
        texts = [region["value"]["text"] for region in result["result"]]
        assert texts == ([] if number % 7 == 0 or number % 3 == 0 else ["Thai"])
        assert (result["score"] == 1) is (number % 7 == 0)


def test_text_that_utf8_cannot_encode_is_sent_back_unchanged(
    client: FlaskClient, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.registry.Tagger.load", lambda folder, **options: WholeTextTagger())
    publish("ner-v1")
    texts = ["a\ud83c", "größer", "\udf63🍣", "plain", "\x00\x1f\x7f\u2028"]
    results = predict(client, *map(task, texts))
    assert [result["result"][0]["value"]["text"] for result in results] == texts


def test_error_in_the_middle_of_a_large_request_fails_the_request(
    client: FlaskClient, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(SushiTagger):
        def tag_text(self, text: str) -> Tagging:
            if text == "broken":
                raise ModelError("The model is damaged: train it again.")
            return super().tag_text(text)

    monkeypatch.setattr("backend.registry.Tagger.load", lambda folder, **options: Broken())
    publish("ner-v1")
    tasks = [task("sushi") for _ in range(5)]
    answer = client.post("/predict", json={**PREDICT, "tasks": [*tasks, task("broken"), *tasks]})
    assert_explained(answer, 500, "damaged")


def test_promotion_is_visible_on_the_next_request_to_another_process(
    client: FlaskClient, settings: Settings, loop: Loop, publish: Publish, fake_models: list[str]
) -> None:
    other_loop = open_service(settings).loop
    other = create_app(settings, other_loop).test_client()
    assert predict(other, task("sushi"))[0]["model_version"] == UNTRAINED
    publish("ner-v1")
    publish("ner-v2")
    assert [predict(web, task("sushi"))[0]["model_version"] for web in (client, other)] == ["ner-v2", "ner-v2"]
    loop.promote(UID, "ner-v1", actor="test")
    assert [predict(web, task("sushi"))[0]["model_version"] for web in (client, other)] == ["ner-v1", "ner-v1"]
    assert other.post("/setup", json={"project": UID, "schema": LABEL_CONFIG}).get_json() == {"model_version": "ner-v1"}
    other_loop.store.close()


# Bad input

PREDICT: dict[str, Any] = {"project": UID, "label_config": LABEL_CONFIG, "tasks": [task("sushi")]}
SETUP = {"project": UID, "schema": LABEL_CONFIG}
LONE = "\ud800"


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/predict", b"{", 400, ["not JSON", "send a JSON object"]),
        ("/predict", b"", 400, ["not JSON"]),
        ("/predict", b"\xff", 400, ["not JSON"]),
        ("/predict", [], 400, ["JSON list", "send a JSON object"]),
        ("/predict", {}, 400, ["`tasks`"]),
        ("/predict", {**PREDICT, "tasks": []}, 400, ["`tasks`", "at least one"]),
        ("/predict", {**PREDICT, "tasks": "text"}, 400, ["`tasks`"]),
        ("/predict", {**PREDICT, "tasks": ["text", 5, None, []]}, 400, ["4 tasks", '"data": {"text"']),
        ("/predict", {**PREDICT, "project": 7.5}, 400, ["`project`", "7.1795221978"]),
        ("/predict", {**PREDICT, "project": True}, 400, ["`project`"]),
        ("/predict", {**PREDICT, "project": 7, "label_config": None}, 404, ["'7' is not connected"]),
        ("/predict", {**PREDICT, "project": None, "label_config": None}, 400, ["`project`", "`label_config`"]),
        ("/predict", {**PREDICT, "project": None, "model_version": "ner-v1"}, 400, ["`project`", "`model_version`"]),
        ("/predict", {**PREDICT, "project": LONE}, 400, ["`project`"]),
        ("/predict", {**PREDICT, "label_config": 5}, 400, ["`label_config`"]),
        ("/predict", {**PREDICT, "label_config": NO_PAIR}, 400, ["<Labels>"]),
        ("/predict", {**PREDICT, "label_config": "<View"}, 400, ["not well-formed XML"]),
        ("/predict", {**PREDICT, "label_config": LONE}, 400, ["not well-formed XML"]),
        ("/predict", {**PREDICT, "label_config": None}, 404, [f"'{UID}' is not connected"]),
        ("/predict", {**PREDICT, "label_config": "", "project": "../etc"}, 404, ["'../etc' is not connected"]),
        ("/predict", {**PREDICT, "model_version": "ner-v9"}, 404, ["'ner-v9'", "none yet"]),
        ("/predict", {**PREDICT, "model_version": "../ner-v1"}, 404, ["'../ner-v1'"]),
        ("/predict", {**PREDICT, "model_version": 9}, 400, ["`model_version`"]),
        ("/predict", {**PREDICT, "model_version": LONE}, 400, ["`model_version`"]),
        ("/setup", {}, 400, ["`project`"]),
        ("/setup", {"project": UID}, 400, ["`schema`"]),
        ("/setup", {**SETUP, "schema": NO_PAIR}, 400, ["<Labels>"]),
        ("/setup", {**SETUP, "schema": ""}, 400, ["labelling configuration is empty"]),
        ("/setup", {**SETUP, "project": "../../etc"}, 400, ["'../../etc' is not a project name"]),
        ("/setup", {**SETUP, "project": "٧.١"}, 400, ["is not a project name"]),
        ("/setup", {**SETUP, "access_token": LONE, "hostname": "http://localhost:8080"}, 400, ["`access_token`"]),
        ("/webhook", b"{", 400, ["not JSON"]),
        ("/webhook", {}, 400, ["`action`"]),
        ("/webhook", {"action": "ANNOTATION_CREATED"}, 400, ["`project`", "ANNOTATION_CREATED"]),
        ("/webhook", {"action": "START_TRAINING"}, 400, ["`project`"]),
        ("/webhook", event("ANNOTATION_CREATED", annotation={"id": 1, "task": "x"}), 400, ["`annotation.task`"]),
        ("/webhook", event("ANNOTATION_CREATED", annotation={"id": 10**30, "task": 1}), 400, ["`annotation.id`"]),
        ("/webhook", event("TASKS_DELETED", tasks=[7]), 400, ["`tasks.0`"]),
        ("/webhook", {"action": "PROJECT_UPDATED", "project": {"id": 7}}, 404, ["'7' is not connected"]),
        ("/webhook", {"action": "START_TRAINING", "project": {"id": 7}}, 404, ["connect --project 7"]),
        ("/webhook", {"action": "PROJECT_UPDATED", "project": {"label_config": "x"}}, 400, ["`project.id`"]),
        ("/webhook", event("PROJECT_UPDATED", uid=f"{10**18}.1"), 400, ["is not a project name"]),
        ("/train", {}, 400, ["`project`"]),
        ("/train", {"project": UID}, 404, [f"'{UID}' is not connected"]),
        ("/train", {"project": UID, "label_config": NO_PAIR}, 400, ["<Labels>"]),
        ("/job_status", {}, 400, ["`job`"]),
        ("/job_status", {"job": 5}, 400, ["`job`"]),
        ("/job_status", {"job": LONE}, 400, ["`job`"]),
        ("/versions", {"project": UID}, 404, [f"'{UID}' is not connected"]),
        ("/versions", {"project": 7}, 404, ["'7' is not connected"]),
        ("/train", {"project": 7}, 404, ["'7' is not connected"]),
        ("/versions", b"[]", 400, ["JSON list"]),
    ],
)
def test_bad_input_is_explained_in_one_sentence(
    path: str, body: Any, status: int, words: list[str], client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body)
    answer = client.post(path, data=data, content_type="application/json")
    assert_explained(answer, status, *words)
    assert [record.exc_info for record in caplog.records if record.exc_info] == []


def test_sentence_in_the_status_line_is_latin_1_and_one_line(client: FlaskClient) -> None:
    config = '<View><Labels name="Gericht&#10;für\r\nzwei 人" toName="x"><Label value="A"/></Labels>' + NO_PAIR[6:]
    answer = client.post("/setup", json={"project": UID, "schema": config})
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.status.startswith("400 <Labels name=")
    assert answer.status.encode("latin-1")
    assert answer.status.isprintable()
    assert "für" in answer.status
    assert "人" in answer.get_json()["error"]


def test_missing_files_of_a_version_are_explained(client: FlaskClient, publish: Publish, loop: Loop) -> None:
    publish("ner-v1")
    loop.registry.folder(UID, "ner-v1").rmdir()
    answer = client.post("/predict", json=PREDICT)
    assert_explained(answer, 500, "ner-v1", "train or promote another version")


# Webhooks


@pytest.mark.parametrize(
    "body",
    [
        {"action": "SOMETHING_NEW"},
        {"action": "SOMETHING_NEW", "project": 7},
        {"action": "LABEL_LINK_CREATED", "project": UID, "tasks": [1, 2], "annotation": "x", "annotations": {}},
        {"action": "annotation_created"},
    ],
)
def test_unknown_action_is_answered_with_success(body: dict[str, Any], client: FlaskClient, store: Store) -> None:
    assert post(client, body) == {"status": "ignored"}
    assert store.projects.all() == []


@pytest.mark.parametrize(
    ("body", "tasks"),
    [
        (saved(1), 1),
        (saved(1, was_cancelled=True, result=[]), 0),
        (event("TASKS_CREATED", tasks=[{"id": 1, "total_annotations": 0, "cancelled_annotations": 1}]), 0),
        (saved(1, action="ANNOTATION_UPDATED"), 1),
        (event("ANNOTATIONS_CREATED", annotations=[{"id": 1, "task": 1}, {"id": 2, "task": 2}]), 2),
        (event("ANNOTATIONS_DELETED", annotations=[{"id": 1}, {"id": 2}]), 2),
        (event("TASKS_CREATED", tasks=[{"id": 1, "total_annotations": 1}, {"id": 2, "total_annotations": 0}]), 1),
        (event("TASKS_DELETED", tasks=[{"id": 1}]), 0),
        (event("PROJECT_UPDATED"), 0),
    ],
)
def test_event_counts_the_tasks_whose_labels_changed(
    body: dict[str, Any], tasks: int, client: FlaskClient, store: Store
) -> None:
    for _ in range(2):
        post(client, body)
    assert store.changes.count(UID) == tasks
    assert store.projects.get(UID).title == "Restaurants"


def test_labelled_task_that_is_skipped_counts_and_is_not_labelled_any_more(client: FlaskClient, store: Store) -> None:
    post(client, saved(1))
    settle(store, store.projects.get(UID).revision)
    post(client, saved(1, action="ANNOTATION_UPDATED", was_cancelled=True, result=[]))
    assert (store.changes.count(UID), store.changes.count_labelled(UID, up_to=10)) == (1, 0)
    assert store.annotations.of(UID) == {}
    post(client, saved(1, action="ANNOTATION_UPDATED"))
    assert (store.changes.count(UID), store.changes.count_labelled(UID, up_to=10)) == (1, 1)


def test_another_person_who_skips_a_labelled_task_changes_nothing(client: FlaskClient, store: Store) -> None:
    post(client, saved(1))
    settle(store, store.projects.get(UID).revision)
    post(client, saved(1, annotation=2001, was_cancelled=True, result=[]))
    assert (store.changes.count(UID), store.annotations.count_tasks(UID)) == (0, 1)


def test_deleted_task_counts_if_it_was_labelled(client: FlaskClient, store: Store) -> None:
    post(client, saved(1))
    settle(store, store.projects.get(UID).revision)
    post(client, event("TASKS_DELETED", tasks=[{"id": 1}, {"id": 2}]))
    assert store.changes.count(UID) == 1


def test_burst_of_events_queues_one_run(client: FlaskClient, store: Store, queue: FakeQueue) -> None:
    for number in range(30):
        assert post(client, saved(number)) == {"status": "counted"}
    assert [run.reason for run in store.runs.latest(project=UID)] == ["3 changed tasks"]
    assert queue.trainings == 1


def test_start_training_answers_the_run_as_the_job(client: FlaskClient, store: Store, queue: FakeQueue) -> None:
    answer = post(client, event("START_TRAINING"))
    assert answer == {"job": store.runs.latest(project=UID)[0].id}
    assert post(client, event("START_TRAINING")) == answer
    assert queue.trainings == 2


def test_project_renamed_in_label_studio_is_renamed_here(client: FlaskClient, store: Store) -> None:
    post(client, event("PROJECT_UPDATED"))
    body = event("PROJECT_UPDATED")
    body["project"] |= {"title": "Menus", "label_config": NO_PAIR}
    post(client, body)
    assert (store.projects.get(UID).title, store.projects.get(UID).label_config) == ("Menus", NO_PAIR)


@pytest.mark.parametrize(
    "action", ["ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED", "PROJECT_UPDATED", "TASKS_CREATED"]
)
def test_event_may_hold_the_project_s_number_and_configuration_alone(
    action: str, client: FlaskClient, registered: str, store: Store
) -> None:
    config = LABEL_CONFIG.replace("Dish", "Drink")
    store.projects.save("7.999999999", label_config=LABEL_CONFIG)
    post(client, {"action": action, "project": {"id": 7, "label_config": config}})
    assert store.projects.get(registered).label_config == config
    assert store.projects.get("7.999999999").label_config == LABEL_CONFIG
    assert (store.projects.get(registered).title, len(store.projects.all())) == ("Restaurants", 2)


def test_event_without_creation_time_counts_for_the_project_of_that_number(
    client: FlaskClient, registered: str, store: Store
) -> None:
    project = {"id": 7, "label_config": LABEL_CONFIG}
    post(client, {"action": "ANNOTATION_CREATED", "project": project, "annotation": {"id": 1, "task": 5}})
    post(client, {"action": "ANNOTATION_DELETED", "project": project, "annotation": {"id": 2}})
    assert store.changes.count(registered) == 2
    answer = post(client, {"action": "START_TRAINING", "project": project})
    assert answer == {"job": store.runs.latest(project=registered)[0].id}


# Training


@pytest.mark.parametrize("project", [UID, 7])
def test_train_request_of_older_label_studios_is_answered_with_the_run(
    project: object, client: FlaskClient, registered: str, store: Store
) -> None:
    answer = client.post("/train", json={"project": project})
    assert (answer.status_code, answer.get_json()) == (HTTPStatus.CREATED, {"job": store.runs.latest()[0].id})


def test_train_request_with_a_configuration_registers_the_project(client: FlaskClient, store: Store) -> None:
    answer = client.post("/train", json={"project": UID, "label_config": LABEL_CONFIG})
    assert answer.status_code == HTTPStatus.CREATED
    assert store.projects.get(UID).label_config == LABEL_CONFIG


def test_job_status_is_the_state_of_a_run(client: FlaskClient, registered: str, store: Store) -> None:
    def status() -> dict[str, Any]:
        answer = client.post("/job_status", json={"job": run.id})
        assert answer.status_code == HTTPStatus.OK
        content: dict[str, Any] = answer.get_json()
        return content

    run, _ = store.runs.queue(registered, "button")
    assert status()["job_status"] == "queued"
    store.runs.claim()
    store.runs.update(run.id, attempt=1, phase="training", progress=0.45678, eta_seconds=12.0)
    started = status()
    assert [started[key] for key in ("job_status", "phase", "progress", "eta_seconds")] == [
        "started",
        "training",
        0.457,
        12.0,
    ]
    store.runs.end(run.id, "finished", version="ner-v1")
    finished = status()
    assert (finished["job_status"], finished["progress"], finished["model_version"]) == ("finished", 1.0, "ner-v1")
    assert finished["created_at"] <= finished["started_at"] <= finished["ended_at"]


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_run_without_a_version_has_failed_for_label_studio(
    state: Any, client: FlaskClient, registered: str, store: Store
) -> None:
    run, _ = store.runs.queue(registered, "button")
    store.runs.end(run.id, state, error="No labels.")
    answer = client.post("/job_status", json={"job": run.id}).get_json()
    assert (answer["job_status"], answer["phase"], answer["error"]) == ("failed", state, "No labels.")


def test_unknown_run_is_removed_for_label_studio(client: FlaskClient) -> None:
    answer = client.post("/job_status", json={"job": "0123456789ab"})
    assert (answer.status_code, answer.get_json()["job_status"]) == (HTTPStatus.GONE, "removed")
    assert "'0123456789ab'" in answer.get_json()["error"]


# Versions


def test_versions_are_listed_by_get_and_by_post(client: FlaskClient, publish: Publish) -> None:
    assert client.get("/versions").get_json() == {"versions": []}
    publish("ner-v1")
    publish("ner-v2")
    publish("ner-v1", uid="8.1")
    publish("ner-v7", uid="8.1")
    answers = [
        client.get("/versions"),
        client.get("/versions", query_string={"project": UID}),
        client.post("/versions", json={"project": UID}),
        client.post("/versions"),
        client.post("/versions", json={}),
    ]
    names = ["ner-v2", "ner-v1", "ner-v7"]
    assert [answer.get_json()["versions"] for answer in answers] == [names, names[:2], names[:2], names, names]


def test_versions_of_an_unknown_project_are_refused(client: FlaskClient) -> None:
    assert_explained(client.get("/versions?project=9.1"), 404, "'9.1' is not connected")


def marked(start: int, end: int, label: str = "Dish") -> dict[str, Any]:
    """The context of a request that an annotator's new region makes, with Auto-Annotation on."""
    value = {"start": start, "end": end, "labels": [label]}
    region = {"id": "new", "from_name": "label", "to_name": "text", "type": "labels", "value": value}
    return {"context": {"result": [region]}}


def region_texts(results: list[dict[str, Any]]) -> list[tuple[str, str]]:
    values = [region["value"] for region in results[0]["result"]]
    return [(value["text"], value["labels"][0]) for value in values]


@pytest.mark.parametrize("trained", [False, True])
def test_marked_region_is_suggested_wherever_its_words_occur(
    trained: bool, client: FlaskClient, publish: Publish, fake_models: list[str]
) -> None:
    if trained:
        publish("ner-v1")
    results = predict(client, task("thai in Boston, sushi or Thai in town"), params=marked(0, 4, "Cuisine"))
    assert region_texts(results) == [("Thai", "Cuisine")]
    assert results[0]["model_version"] == ("ner-v1" if trained else UNTRAINED)


def test_model_s_regions_are_suggested_too_where_that_is_set(
    client: FlaskClient,
    loop: Loop,
    make_settings: Callable[..., Settings],
    publish: Publish,
    fake_models: list[str],
) -> None:
    loop.settings = make_settings(suggest="Model")
    publish("ner-v1")
    results = predict(client, task("thai in Boston, sushi or Thai in town"), params=marked(0, 4, "Cuisine"))
    assert region_texts(results) == [("sushi", "Dish"), ("Thai", "Cuisine")]


@pytest.mark.parametrize(
    "regions", [[], [{"value": {"start": 1, "end": 3}}, 7], [{"type": "choices", "value": {"choices": ["x"]}}]]
)
def test_regions_that_an_annotator_may_have_deleted_do_not_come_back(
    regions: list[Any], client: FlaskClient, publish: Publish, fake_models: list[str]
) -> None:
    publish("ner-v1")
    assert region_texts(predict(client, task("sushi"), params={"context": {"result": regions}})) == []


@pytest.mark.parametrize(
    "params",
    [
        None,
        7,
        {"context": 7},
        {"context": {"result": "x"}},
    ],
)
def test_unusable_context_does_not_change_the_answer(
    params: Any, client: FlaskClient, publish: Publish, fake_models: list[str]
) -> None:
    publish("ner-v1")
    text = task("thai or sushi, thai")
    assert predict(client, text, params=params) == predict(client, text)


@pytest.mark.parametrize("params", [marked(0, 99), marked(0, 4, "Nope")])
def test_region_that_cannot_be_read_suggests_nothing(
    params: Any, client: FlaskClient, publish: Publish, fake_models: list[str]
) -> None:
    publish("ner-v1")
    assert region_texts(predict(client, task("thai or sushi, thai"), params=params)) == []


def test_context_is_ignored_for_several_tasks(client: FlaskClient, publish: Publish, fake_models: list[str]) -> None:
    publish("ner-v1")
    tasks = [task("thai, thai", 1), task("thai, thai", 2)]
    assert predict(client, *tasks, params=marked(0, 4)) == predict(client, *tasks)


def test_versions_without_files_are_not_offered(
    client: FlaskClient, publish: Publish, registry: Registry, fake_models: list[str]
) -> None:
    publish("ner-v1")
    publish("ner-v2")
    registry.remove(UID, "ner-v1")
    assert client.get(f"/versions?project={UID}").get_json() == {"versions": ["ner-v2"]}
