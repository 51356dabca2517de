from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from backend.errors import (
    AnnotationsLost,
    LabelStudioError,
    LabelStudioRefused,
    LabelStudioRejected,
    LabelStudioUnreachable,
)
from backend.label_studio import client as module
from backend.label_studio.api import Prediction, ProjectSetup, StoredPrediction
from backend.settings import Settings
from tests.backend.label_studio.conftest import Server

PREDICTION = Prediction(task=1, regions=[], score=0.5, version="ner-v1")


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_tasks_are_read_by_ascending_id(
    limit: int, server: Server, label_studio: ProjectSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    server.limit = limit  # a server may return smaller pages than requested
    server.tasks = dict.fromkeys((30, 4, 5, 17, 9, 21, 8), "")
    pages = list(label_studio.unlabelled_pages(7))
    assert [task.id for page in pages for task in page.tasks] == [4, 5, 8, 9, 17, 21, 30]
    assert pages[0].remaining == 7
    assert [task.id for page in label_studio.unlabelled_pages(7, first=5, last=17) for task in page.tasks] == [
        5,
        8,
        9,
        17,
    ]


def test_task_that_is_labelled_meanwhile_makes_no_page_skip_another(
    server: Server, label_studio: ProjectSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    server.tasks = dict.fromkeys(range(1, 7), "")
    tasks = []
    for page in label_studio.unlabelled_pages(7):
        tasks += [task.id for task in page.tasks]
        server.tasks.pop(1, None)
    assert tasks == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("joined", "names"),
    [
        ("", {""}),
        ("ner-v1", {"ner-v1"}),
        ("ner-v10,ner-v1", {"ner-v1", "ner-v10"}),  # SQLite
        ("ner-v2, ner-v1", {"ner-v1", "ner-v2"}),  # PostgreSQL
    ],
)
def test_versions_of_a_tasks_predictions(
    joined: str, names: set[str], server: Server, label_studio: ProjectSetup
) -> None:
    server.tasks = {1: joined}
    assert label_studio.unlabelled_tasks(7)[0].predicted_by == names


def test_list_of_versions_that_label_studio_cuts_is_read_in_full(server: Server, label_studio: ProjectSetup) -> None:
    names = [f"ner-v{number}" for number in range(100)]
    server.tasks = {1: "", 2: ",".join(names)}
    assert label_studio.unlabelled_tasks(7)[1].predicted_by == set(names)
    assert [path for _, path, _ in server.requests].count("/api/predictions/") == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, LabelStudioRejected), (413, LabelStudioRejected), (403, LabelStudioRefused), (500, LabelStudioError),
     (503, LabelStudioUnreachable), (504, LabelStudioUnreachable), (429, LabelStudioUnreachable)],
)  # fmt: skip
def test_import_is_sent_once_whatever_is_answered(
    status: int, error: type[LabelStudioError], server: Server, label_studio: ProjectSetup
) -> None:
    server.status = status
    with pytest.raises(LabelStudioError) as raised:
        label_studio.import_predictions(7, [PREDICTION])
    assert type(raised.value) is error
    assert len(server.requests) == 1


def test_import_whose_connection_is_cut_off_is_sent_once(server: Server, label_studio: ProjectSetup) -> None:
    server.cuts_off = True
    with pytest.raises(LabelStudioUnreachable):
        label_studio.import_predictions(7, [PREDICTION])
    assert len(server.requests) == 1


def test_import_returns_how_many_were_stored(server: Server, label_studio: ProjectSetup) -> None:
    assert label_studio.import_predictions(7, [PREDICTION, PREDICTION]) == 2
    [(method, path, rows)] = server.requests
    assert (method, path) == ("POST", "/api/projects/7/import/predictions")
    assert rows[0] == {"task": 1, "result": [], "score": 0.5, "model_version": "ner-v1"}


def test_predictions_of_tasks_that_have_others_are_left_out(server: Server, label_studio: ProjectSetup) -> None:
    server.tasks = {1: "ner-v1", 2: "ner-v1,label_issues", 3: "label_issues"}
    assert list(label_studio.prediction_ids(7, "ner-v1", without="label_issues")) == [[100]]


def test_predictions_of_a_version_are_listed_by_its_whole_name(
    server: Server, label_studio: ProjectSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PREDICTIONS_PAGE", 2)
    server.tasks = {
        1: "ner-v1",
        2: "",
        3: "ner-v10",
        4: "ner-v10,ner-v1",
        5: "ner-v10",
        6: "ner-v2",
        7: "ner-v1,ner-v1",
    }
    assert list(label_studio.prediction_ids(7, "ner-v1", without="label_issues")) == [[100], [401], [700, 701]]


def test_stored_predictions_of_a_version_come_with_their_tasks(
    server: Server, label_studio: ProjectSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STORED_PAGE", 2)
    server.tasks = {1: "phrases", 2: "", 3: "phrases-2", 4: "ner-v1,phrases"}
    pages = list(label_studio.stored_predictions(7, "phrases"))
    first, last = StoredPrediction(100, 1, {"text": "a"}, []), StoredPrediction(401, 4, {"text": "a"}, [])
    assert pages == [[first], [last]]
    query = json.loads(server.requests[0][2]["query"])
    assert query["filters"]["items"][0] == {
        "filter": "filter:tasks:total_annotations", "operator": "equal", "type": "Number", "value": 0
    }  # fmt: skip


def test_stored_prediction_is_replaced_in_one_request(
    server: Server, label_studio: ProjectSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[tuple[str, str, Any]] = []

    def answer(method: str, path: str, body: object) -> tuple[int, Any]:
        requests.append((method, path, body))
        return 200, {"id": 41}

    monkeypatch.setattr(server, "answer", answer)
    label_studio.replace_prediction(41, PREDICTION)
    row = {"task": 1, "result": [], "score": 0.5, "model_version": "ner-v1"}
    assert requests == [("PATCH", "/api/predictions/41/", row)]


def test_predictions_are_counted_by_version(
    server: Server, label_studio: ProjectSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "answer", lambda *_: (200, {"ner-v1": 3, "untrained": 1, "NER": 0}))
    assert label_studio.count_by_version(7) == {"ner-v1": 3, "untrained": 1}


@pytest.mark.parametrize("status", [204, 404])
def test_prediction_is_deleted_or_was_before(
    status: int, server: Server, label_studio: ProjectSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[tuple[str, str]] = []

    def answer(method: str, path: str, _body: object) -> tuple[int, Any]:
        requests.append((method, path))
        return status, {"detail": "Not found."}

    monkeypatch.setattr(server, "answer", answer)
    label_studio.delete_prediction(41)
    assert requests == [("DELETE", "/api/predictions/41/")]


def test_prediction_that_may_not_be_deleted_is_an_error(
    server: Server, label_studio: ProjectSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "answer", lambda *_: (403, {"detail": "Forbidden."}))
    with pytest.raises(LabelStudioRefused):
        label_studio.delete_prediction(41)


def test_label_studio_that_cannot_delete_a_version_s_predictions(
    server: Server, label_studio: ProjectSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "answer", lambda *_: (405, {"detail": 'Method "DELETE" not allowed.'}))
    with pytest.raises(LabelStudioError) as raised:
        label_studio.delete_predictions(7, "label_issues")
    assert str(raised.value) == (
        f"Label Studio at {server.url} has no way to delete the predictions of version label_issues of project 7 "
        "(it came with 1.12): those stored before would stay beside the new ones, so nothing was changed; update Label "
        "Studio to 1.12 or newer."
    )


@pytest.mark.parametrize(
    "answer", [{"release": "1.23.2", "edition": "Community"}, {"release": "1.10.1", "label-studio-os-package": {}}]
)
def test_release(
    answer: dict[str, Any], server: Server, label_studio: ProjectSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "answer", lambda *_: (200, answer))
    assert label_studio.release() == answer["release"]


# Settings

UPSTREAM = {
    "label_studio_host": "http://ls:8080",
    "label_studio_access_token": "s3cret",
    "label_studio_api_token": "s3cret",
}


def test_missing_token_names_the_variables_of_label_studio_ml(make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(LabelStudioRefused, match=r"Access Token\)\.$"):
        module.open_label_studio(make_settings())
    with pytest.raises(LabelStudioRefused) as raised:
        module.open_label_studio(make_settings(**UPSTREAM))
    assert str(raised.value) == (
        "No access token for Label Studio at http://localhost:8080: set LABEL_STUDIO_API_KEY (in Label Studio: Account "
        "& Settings → Personal Access Token); LABEL_STUDIO_ACCESS_TOKEN and LABEL_STUDIO_API_TOKEN are set, but not "
        "read here."
    )


@pytest.mark.parametrize(
    ("variables", "end"),
    [
        ({}, "is its address as seen from here."),
        (UPSTREAM, "is its address as seen from here; LABEL_STUDIO_HOST is set, but not read here."),
        ({**UPSTREAM, "label_studio_url": "http://localhost:1"}, "is its address as seen from here."),
    ],
)
def test_unreachable_label_studio_names_the_variable_of_label_studio_ml(
    variables: dict[str, str], end: str, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settings, "label_studio_base", "http://localhost:1")
    label_studio = module.open_label_studio(make_settings(label_studio_api_key="0" * 40, **variables))
    with pytest.raises(LabelStudioUnreachable) as raised:
        label_studio.import_predictions(7, [PREDICTION])
    assert str(raised.value).endswith(end)


# Imports of tasks

TASKS: list[dict[str, Any]] = [
    {"data": {"text": "a"}, "annotations": [{"result": []}, {"result": []}]},
    {"data": {"text": "b"}},
    {"data": {"text": "c"}, "annotations": [{"result": []}]},
]


def test_imported_tasks_are_named_in_the_order_sent(server: Server, label_studio: ProjectSetup) -> None:
    assert label_studio.import_tasks(7, TASKS) == [1, 2, 3]
    assert [len(server.annotations[task]) for task in (1, 2, 3)] == [2, 0, 1]


def test_annotations_that_an_import_loses_are_counted_in_the_error(server: Server, label_studio: ProjectSetup) -> None:
    server.loses_annotations = True
    with pytest.raises(AnnotationsLost, match=r"imported 3 tasks into project 7 but lost 3 of their 3") as raised:
        label_studio.import_tasks(7, TASKS)
    assert raised.value.tasks == [1, 2, 3]


def test_tasks_that_an_import_loses_are_an_error(server: Server, label_studio: ProjectSetup) -> None:
    server.loses_tasks = True
    with pytest.raises(LabelStudioError, match=r"imported 0 of 3 tasks into project 7"):
        label_studio.import_tasks(7, TASKS)
