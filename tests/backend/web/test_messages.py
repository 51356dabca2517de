from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import InvalidRequest
from backend.web.messages import (
    Event,
    JobStatus,
    Message,
    Predict,
    Setup,
    TaskInfo,
    Train,
    Versions,
    Webhook,
    parse,
    to_json,
)
from tests.converters.strategies import texts as any_text

PROJECT = {"id": 7, "created_at": "2026-11-21T00:46:18.208260Z"}


def webhook(**fields: Any) -> dict[str, Any]:
    return {"action": "ANNOTATION_CREATED", "project": PROJECT, **fields}


def encoded(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        (Predict, {}, "tasks"),
        (Predict, {"tasks": [], "project": "7.1"}, "tasks"),
        (Predict, {"tasks": None, "project": "7.1"}, "tasks"),
        (Predict, {"tasks": "text", "project": "7.1"}, "tasks"),
        (Predict, {"tasks": {"1": {}}, "project": "7.1"}, "tasks"),
        (Predict, {"tasks": [{}], "project": 7.5}, "project"),
        (Predict, {"tasks": [{}], "project": False}, "project"),
        (Predict, {"tasks": [{}], "project": "\ud800"}, "project"),
        (Predict, {"tasks": [{}], "project": "7\0"}, "project"),
        (Predict, {"tasks": [{}], "project": "7.1", "label_config": ["<View/>"]}, "label_config"),
        (Predict, {"tasks": [{}], "project": "7.1", "model_version": 3}, "model_version"),
        (Predict, {"tasks": [{}], "project": "7.1", "model_version": "\udfff"}, "model_version"),
        (Setup, {"project": "7.1"}, "schema"),
        (Setup, {"schema": "<View/>"}, "project"),
        (Setup, {"project": "7.1", "schema": None}, "schema"),
        (Setup, {"project": "7.1", "schema": "<View/>", "hostname": 5}, "hostname"),
        (Setup, {"project": "7.1", "schema": "<View/>", "access_token": {}}, "access_token"),
        (Event, {}, "action"),
        (Event, {"action": ""}, "action"),
        (Event, {"action": 5}, "action"),
        (Webhook, webhook(project=7), "project"),
        (Webhook, webhook(project={"created_at": "2026-11-21T00:46:18Z"}), "project.id"),
        (Webhook, webhook(project={"id": 7, "created_at": "yesterday"}), "project.created_at"),
        (Webhook, webhook(project={"id": 7, "created_at": "2026-11-21T00:46:18"}), "project.created_at"),
        (Webhook, webhook(project={**PROJECT, "id": -7}), "project.id"),
        (Webhook, webhook(project={**PROJECT, "title": "\ud800"}), "project.title"),
        (Webhook, webhook(project={**PROJECT, "label_config": "\0"}), "project.label_config"),
        (Webhook, webhook(annotation=5), "annotation"),
        (Webhook, webhook(annotation={"id": "x"}), "annotation.id"),
        (Webhook, webhook(annotation={"id": 10**30}), "annotation.id"),
        (Webhook, webhook(annotation={"id": 1, "task": "x"}), "annotation.task"),
        (Webhook, webhook(annotations=[1]), "annotations.0"),
        (Webhook, webhook(tasks=[{"id": 1}, {}]), "tasks.1.id"),
        (Train, {}, "project"),
        (Train, {"project": [7]}, "project"),
        (JobStatus, {}, "job"),
        (JobStatus, {"job": 5}, "job"),
        (JobStatus, {"job": ""}, "job"),
        (JobStatus, {"job": "\ud800"}, "job"),
        (Versions, {"project": {}}, "project"),
    ],
)
def test_wrong_field_is_named_in_one_sentence(kind: type[Message], body: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"^Field `{field}`: .+\. Send .+\.$") as caught:
        parse(kind, encoded(body))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"tasks=1", b"\xff\xfe\x00", b'{"tasks": [}', b"[" * 100_000, b'{"tasks": ' + b"1" * 5000 + b"}"],
)
def test_body_that_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"^The body is not JSON \(.+\): send a JSON object\.$"):
        parse(Predict, body)


@pytest.mark.parametrize("body", [[], "text", 5, None, True])
def test_body_that_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(InvalidRequest, match=r"^The body is a JSON \w+: send a JSON object\.$"):
        parse(Predict, encoded(body))


def test_fields_of_newer_label_studios_are_ignored() -> None:
    assert parse(Versions, b'{"project": "7.1", "new": {"x": [1]}}').project == "7.1"


def test_lone_surrogate_in_a_text_passes() -> None:
    body = {"tasks": [{"data": {"text": "a\ud800b"}}], "project": "7.1"}
    assert parse(Predict, encoded(body)).tasks[0]["data"]["text"] == "a\ud800b"


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | any_text,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4),
    )
)
def test_whatever_is_written_reads_as_it_was(value: Any) -> None:
    assert json.loads(to_json(value)) == value
    assert parse(Predict, to_json({"tasks": [value], "project": "7.1"})).tasks == [value]


@pytest.mark.parametrize(
    "created_at",
    [
        "2026-11-21T00:46:18.208260Z",
        "2026-11-21T00:46:18Z",
        "2026-11-21T02:46:18.999+02:00",
        "2026-11-20T16:46:18-08:00",
    ],
)
def test_webhook_project_has_the_uid_that_setup_carries(created_at: str) -> None:
    event = parse(Webhook, encoded(webhook(project={"id": 7, "created_at": created_at})))
    assert event.project is not None
    assert event.project.name == "7.1795221978"


@pytest.mark.parametrize("project", [{"id": 7}, {"id": "7", "label_config": "<View/>"}, {"id": 7, "created_at": None}])
def test_webhook_project_without_creation_time_has_its_number_as_name(project: dict[str, Any]) -> None:
    event = parse(Webhook, encoded(webhook(project=project)))
    assert event.project is not None
    assert event.project.name == "7"


@pytest.mark.parametrize(("sent", "read"), [(7, "7"), ("7", "7"), ("7.1", "7.1"), (None, None)])
def test_project_may_be_a_number(sent: object, read: str | None) -> None:
    assert parse(Predict, encoded({"tasks": [{}], "project": sent})).project == read


@pytest.mark.parametrize(
    ("task", "labelled"),
    [
        ({"id": 1}, False),
        ({"id": 1, "total_annotations": 0, "cancelled_annotations": 0}, False),
        ({"id": 1, "total_annotations": 2}, True),
        ({"id": 1, "cancelled_annotations": 1}, False),
    ],
)
def test_task_with_an_annotation_that_is_not_skipped_is_labelled(task: dict[str, int], labelled: bool) -> None:
    assert TaskInfo.model_validate(task).labelled is labelled
