"""Every request recorded from Label Studio 1.23.2, sent again as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from backend.loop import Loop
from backend.registry import UNTRAINED, Registry
from backend.settings import Settings
from backend.store import Store
from backend.store.models import Change, Version
from backend.web.app import create_app
from tests.backend.fakes import FakeQueue

TRAFFIC = Path(__file__).parents[1] / "traffic"
FIRST, SECOND = "1.1795221978", "2.1795223354"

Publish = Callable[..., Version]


def recorded(name: str) -> dict[str, Any]:
    request: dict[str, Any] = json.loads((TRAFFIC / f"{name}.json").read_text(encoding="utf-8"))
    return request


def send(client: FlaskClient, name: str) -> TestResponse:
    request = recorded(name)
    body = None if request["json"] is None else json.dumps(request["json"])
    return client.open(request["path"], method=request["method"], headers=request["headers"], data=body)


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(label_studio_url="http://localhost:8085")


def changed(store: Store, uid: str) -> set[str]:
    with store.engine.connect() as connection:
        return set(connection.scalars(select(Change.task).where(Change.project == uid)))


@pytest.mark.parametrize("name", sorted(path.stem for path in TRAFFIC.glob("*.json")))
def test_every_recorded_request_gets_a_json_object(name: str, client: FlaskClient) -> None:
    answer = send(client, name)
    assert 200 <= answer.status_code < 300, answer.text
    assert isinstance(answer.get_json(), dict)


@pytest.mark.parametrize(("name", "uid"), [("setup", FIRST), ("setup_basic_auth", SECOND)])
def test_setup_is_answered_with_the_version(name: str, uid: str, client: FlaskClient, store: Store) -> None:
    assert send(client, name).get_json() == {"model_version": UNTRAINED}
    project = store.projects.get(uid)
    assert project.label_config == recorded(name)["json"]["schema"]
    assert project.access_token == "scrubbed"


def test_setup_from_another_host_leaves_its_token(
    make_settings: Callable[..., Settings], store: Store, registry: Registry
) -> None:
    settings = make_settings(label_studio_url="http://localhost:8080")
    client = create_app(settings, Loop(settings, store, registry, FakeQueue())).test_client()
    send(client, "setup")
    assert store.projects.get(FIRST).access_token is None


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize(
    "name", ["predict_batch", "predict_interactive", "predict_label_stream", "predict_test_request"]
)
def test_each_task_gets_one_result(
    name: str, trained: bool, client: FlaskClient, publish: Publish, fake_models: list[str]
) -> None:
    body = recorded(name)["json"]
    if trained:
        publish("ner-v1", uid=body["project"])
    results = send(client, name).get_json()["results"]
    assert len(results) == len(body["tasks"])
    for task, result in zip(body["tasks"], results, strict=True):
        text = task["data"]["text"]
        assert result["model_version"] == ("ner-v1" if trained else UNTRAINED)
        assert 0 <= result["score"] <= 1
        suggests_words = name == "predict_interactive"  # its region has no label that the project knows
        assert len(result["result"]) == (text.count("sushi") if trained and not suggests_words else 0)
        for region in result["result"]:
            value = region["value"]
            assert text[value["start"] : value["end"]] == value["text"]
            assert value["labels"] == ["Dish"]
            assert (region["from_name"], region["to_name"], region["type"]) == ("label", "text", "labels")


def test_versions_are_asked_for_with_get(client: FlaskClient, publish: Publish) -> None:
    assert recorded("versions")["method"] == "GET"
    assert send(client, "versions").get_json() == {"versions": []}
    publish("ner-v1", uid=FIRST)
    assert send(client, "versions").get_json() == {"versions": ["ner-v1"]}


@pytest.mark.parametrize(
    ("names", "uid", "tasks"),
    [
        (["webhook_annotation_created"], FIRST, {"1"}),
        (["webhook_annotation_created_skipped"], FIRST, set()),
        (["webhook_annotation_updated"], FIRST, {"1"}),
        (["webhook_annotation_created", "webhook_annotation_updated"], FIRST, {"1"}),
        (["webhook_annotations_deleted"], FIRST, {"annotation-1"}),
        (["webhook_annotation_created", "webhook_annotations_deleted"], FIRST, {"1"}),
        (["webhook_tasks_created_with_annotations"], SECOND, {"4"}),
        (["webhook_annotation_created_with_header"], SECOND, {"5"}),
        (["webhook_project_updated"], FIRST, set()),
        (["webhook_start_training"], FIRST, set()),
    ],
)
def test_events_count_the_tasks_whose_labels_changed(
    names: list[str], uid: str, tasks: set[str], client: FlaskClient, store: Store
) -> None:
    for name in names:
        send(client, name)
    assert [project.uid for project in store.projects.all()] == [uid]
    assert changed(store, uid) == tasks


def test_events_and_setup_mean_the_same_project(client: FlaskClient, store: Store) -> None:
    send(client, "setup")
    send(client, "webhook_annotation_created")
    send(client, "webhook_project_updated")
    (project,) = store.projects.all()
    assert (project.uid, project.title) == (FIRST, "stub2")


def test_added_label_is_known_from_its_event(client: FlaskClient, store: Store) -> None:
    send(client, "webhook_project_updated_label_added")
    assert 'value="Chef"' in store.projects.get(SECOND).label_config


def test_start_training_answers_a_job_whose_status_can_be_asked(client: FlaskClient) -> None:
    job = send(client, "webhook_start_training").get_json()["job"]
    assert client.post("/job_status", json={"job": job}).get_json()["job_status"] == "queued"


def test_webhook_needs_the_header_where_credentials_are_asked_for(
    make_settings: Callable[..., Settings], store: Store, registry: Registry
) -> None:
    settings = make_settings(basic_auth_user="u", basic_auth_pass="p")
    client = create_app(settings, Loop(settings, store, registry, FakeQueue())).test_client()
    assert send(client, "webhook_annotation_created").status_code == 401
    assert send(client, "webhook_annotation_created_with_header").status_code == 200
    assert changed(store, SECOND) == {"5"}
