"""START_TRAINING of the button, and of "Start model training on annotation submission", which sends the same body.

The order and the fields are those that Label Studio 1.23.2 was seen to send: START_TRAINING while it saves an
annotation, then the annotation's own event, both with the numbers of annotations after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from backend.loop import BUTTON, Loop
from backend.store import Store
from backend.store.models import StartRequest
from backend.store.start_requests import WAIT_SECONDS
from tests.backend.fakes import LABEL_CONFIG, UID, FakeQueue, event


@pytest.fixture(autouse=True)
def _project(store: Store) -> None:
    store.projects.save(UID, title="Restaurants", label_config=LABEL_CONFIG)


def send(client: FlaskClient, action: str, *, every: int | None = 1, annotations: int = 1, **fields: Any) -> Any:
    body = event(action, **fields)
    body["project"] |= {
        "min_annotations_to_start_training": every,
        "total_annotations_number": annotations - annotations // 2,
        "skipped_annotations_number": annotations // 2,
    }
    answer = client.post("/webhook", json=body)
    assert answer.status_code == 200
    return answer.get_json()


def annotation(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": 1000 + number, "task": number, **fields}


def pass_time(loop: Loop) -> None:
    """Let all waiting requests be due, and the worker look at them."""
    with loop.store.engine.begin() as connection:
        connection.execute(update(StartRequest).values(requested_at=StartRequest.requested_at - WAIT_SECONDS))
    loop.queue_requested_runs()


def reasons(loop: Loop) -> list[str]:
    return [run.reason for run in loop.runs(UID)]


def test_button_trains_at_once_where_annotations_do_not_send_it(client: FlaskClient, loop: Loop) -> None:
    answer = send(client, "START_TRAINING", every=0)
    assert answer == {"job": loop.runs(UID)[0].id}
    assert reasons(loop) == [BUTTON]


@pytest.mark.parametrize("action", ["ANNOTATION_CREATED", "ANNOTATION_UPDATED"])
@pytest.mark.parametrize("skipped", [True, False])
def test_submitted_annotation_is_counted_and_trains_nothing(
    action: str, skipped: bool, client: FlaskClient, loop: Loop, store: Store
) -> None:
    assert send(client, "START_TRAINING") == {"status": "noted"}
    send(client, action, annotation=annotation(1, was_cancelled=skipped))
    pass_time(loop)
    assert reasons(loop) == []
    assert store.changes.count(UID) == (0 if skipped else 1)


def test_submitted_annotation_trains_at_the_threshold(client: FlaskClient, loop: Loop) -> None:
    for number in (1, 2, 3):
        send(client, "START_TRAINING", annotations=number)
        send(client, "ANNOTATION_CREATED", annotations=number, annotation=annotation(number))
    pass_time(loop)
    assert reasons(loop) == ["3 changed tasks"]


def test_button_trains_as_soon_as_no_annotation_can_have_sent_it(
    client: FlaskClient, loop: Loop, queue: FakeQueue
) -> None:
    assert send(client, "START_TRAINING") == {"status": "noted"}
    loop.queue_requested_runs()
    assert reasons(loop) == []
    assert queue.later == [WAIT_SECONDS + 1]
    pass_time(loop)
    assert reasons(loop) == [BUTTON]
    pass_time(loop)
    assert len(loop.runs(UID)) == 1


@pytest.mark.parametrize("order", ["bsa", "sba", "sab", "sasba", "sbsaa"])
def test_button_is_told_apart_while_others_submit(order: str, client: FlaskClient, loop: Loop) -> None:
    numbers = iter(range(1, 10))
    for letter in order:
        if letter == "a":
            send(client, "ANNOTATION_CREATED", annotation=annotation(next(numbers)))
        else:
            send(client, "START_TRAINING")
    pass_time(loop)
    assert reasons(loop) == [BUTTON]


def test_annotation_that_sends_no_start_leaves_the_button_s(client: FlaskClient, loop: Loop) -> None:
    send(client, "START_TRAINING", every=3, annotations=4)
    send(client, "ANNOTATION_CREATED", every=3, annotations=5, annotation=annotation(1))
    send(client, "ANNOTATION_CREATED", every=3, annotations=6, annotation=annotation(2, ground_truth=True))
    pass_time(loop)
    assert reasons(loop) == [BUTTON]


def test_every_third_annotation_sends_a_start(client: FlaskClient, loop: Loop) -> None:
    send(client, "START_TRAINING", every=3, annotations=6)
    send(client, "ANNOTATION_CREATED", every=3, annotations=6, annotation=annotation(2))
    pass_time(loop)
    assert reasons(loop) == []


def test_event_of_a_long_gone_annotation_leaves_the_button_s(client: FlaskClient, loop: Loop) -> None:
    send(client, "START_TRAINING")
    with loop.store.engine.begin() as connection:
        connection.execute(update(StartRequest).values(requested_at=StartRequest.requested_at - WAIT_SECONDS))
    send(client, "ANNOTATION_CREATED", annotation=annotation(1))
    loop.queue_requested_runs()
    assert reasons(loop) == [BUTTON]


@pytest.mark.parametrize(("every", "expected"), [(0, [BUTTON]), (1, [])])
def test_train_request_of_older_label_studios_follows_the_project_s_setting(
    every: int, expected: Sequence[str], client: FlaskClient, loop: Loop
) -> None:
    send(client, "PROJECT_UPDATED", every=every)
    assert client.post("/train", json={"project": UID}).status_code == 201
    send(client, "ANNOTATION_CREATED", every=every, annotation=annotation(1))
    pass_time(loop)
    assert reasons(loop) == list(expected)


def test_event_without_the_setting_leaves_it_as_it_was(client: FlaskClient, store: Store) -> None:
    send(client, "PROJECT_UPDATED", every=1)
    send(client, "PROJECT_UPDATED", every=None)
    assert store.projects.get(UID).starts_training_every == 1
    send(client, "PROJECT_UPDATED", every=0)
    assert store.projects.get(UID).starts_training_every == 0
