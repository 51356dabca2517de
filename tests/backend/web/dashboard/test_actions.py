from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.evaluation.gate import GateDecision
from backend.loop import Loop
from backend.settings import Settings
from backend.store import Store
from backend.store.models import LabelIssue, Version
from tests.backend.fakes import LABEL_CONFIG, UID, FakeQueue, event, saved
from tests.backend.web.dashboard.conftest import PAGE, Lead, plain
from tests.browser.sample_service import metrics

ACTIONS = ("train", "runs/0/cancel", "versions/ner-v1/promote", "versions/ner-v1/pin", "versions/ner-v1/delete", "try",
           "export/conll", "report", "labels/map", "labels/unmap", "label-issues/0/accept")  # fmt: skip


# Forgery


@pytest.mark.parametrize("path", ACTIONS)
@pytest.mark.parametrize("token", [None, "", "guessed"])
def test_a_post_without_the_pages_token_is_refused(
    path: str, token: str | None, lead: Lead, publish: Callable[..., Version], loop: Loop
) -> None:
    publish()
    lead.get()  # a session, as a browser has one
    answer = lead.client.post(PAGE + path, data={} if token is None else {"csrf_token": token})
    assert answer.status_code == 400
    assert "reload it, and try again" in answer.text
    assert loop.runs(UID) == []


def test_another_sessions_token_is_refused(lead: Lead, registered: str, loop: Loop) -> None:
    token = lead.token
    stranger = lead.client.application.test_client()
    assert stranger.post(f"{PAGE}train", data={"csrf_token": token}).status_code == 400
    assert loop.runs(UID) == []


@pytest.mark.parametrize("path", sorted({*ACTIONS} - {"versions/ner-v1/promote"}))
def test_nothing_is_changed_by_a_get(path: str, lead: Lead, registered: str) -> None:
    answer = lead.get(PAGE + path)
    assert answer.status_code == 405
    assert "This is the address of a button, and opening it does not press the button" in answer.text
    assert f'href="{PAGE}"><span>Back to <bdi>Restaurants</bdi>' in answer.text
    assert "use POST" in lead.client.get(PAGE + path).get_json()["error"]


def test_the_address_of_a_promotion_leads_to_its_question(
    lead: Lead, publish: Callable[..., Version], loop: Loop
) -> None:
    publish("ner-v1")
    publish("ner-v2")
    answer = lead.get(f"{PAGE}versions/ner-v1/promote")
    assert (answer.status_code, answer.location) == (302, f"{PAGE}versions/ner-v1/serve")
    assert loop.store.projects.current_version(UID) == "ner-v2"


def test_all_processes_share_the_secret(lead: Lead, registered: str, store: Store) -> None:
    assert lead.client.application.secret_key == store.secrets.get("dashboard")


def test_what_label_studio_posts_needs_no_token(client: FlaskClient, loop: Loop) -> None:
    setup = {"project": UID, "schema": LABEL_CONFIG}
    assert client.post("/setup", json=setup).status_code == 200
    assert client.post("/webhook", json=saved(1)).status_code == 200
    assert client.post("/webhook", json=event("START_TRAINING")).status_code == 200
    assert client.post("/train", json={"project": UID}).status_code == 201
    task = {"id": 1, "data": {"text": "sushi"}}
    assert client.post("/predict", json={"project": UID, "tasks": [task]}).status_code == 200
    assert client.post("/job_status", json={"job": loop.runs(UID)[0].id}).status_code == 200
    assert client.post("/versions", json={"project": UID}).status_code == 200


# What the buttons do


def test_start_training_queues_one_run(lead: Lead, registered: str, loop: Loop, queue: FakeQueue) -> None:
    message = lead.press("train")
    (run,) = loop.runs(UID)
    assert (run.reason, run.state, message) == ("Start training on the dashboard", "queued", f"Run {run.id} is queued.")
    assert queue.trainings == 1
    assert lead.press("train") == f"Run {run.id} is queued already."
    assert len(loop.runs(UID)) == 1


def test_cancel_ends_a_run(lead: Lead, registered: str, loop: Loop) -> None:
    run = loop.train(UID, reason="button")
    assert lead.press(f"runs/{run.id}/cancel") == f"Run {run.id} is cancelled."
    assert loop.run(run.id).state == "cancelled"
    assert "has ended already" in lead.press(f"runs/{run.id}/cancel")
    assert "There is no training run" in lead.press("runs/nothing/cancel")


def test_another_projects_run_is_not_cancelled(lead: Lead, registered: str, loop: Loop) -> None:
    loop.register_project("8.1", title="Other", label_config=LABEL_CONFIG)
    run = loop.train("8.1", reason="button")
    assert "belongs to another project" in lead.press(f"runs/{run.id}/cancel")
    assert loop.run(run.id).state == "queued"


def test_promote_and_roll_back(lead: Lead, publish: Callable[..., Version], loop: Loop, queue: FakeQueue) -> None:
    publish("ner-v1")
    publish("ner-v2")
    message = lead.press("versions/ner-v1/promote")
    assert message == "ner-v1 serves now; its predictions are being sent to Label Studio."
    assert loop.store.projects.get(UID).current_version == "ner-v1"
    assert queue.syncs == [UID]
    assert "has no model version 'ner-v9'" in lead.press("versions/ner-v9/promote")


def test_pin_and_delete(lead: Lead, publish: Callable[..., Version], loop: Loop) -> None:
    publish("ner-v1")
    publish("ner-v2")
    assert lead.press("versions/ner-v1/pin", pinned="yes") == "ner-v1 is pinned: its files stay."
    assert "is pinned: unpin it" in lead.press("versions/ner-v1/delete")
    assert lead.press("versions/ner-v1/pin", pinned="no") == "ner-v1 is not pinned any more."
    assert lead.press("versions/ner-v1/delete") == "The files of ner-v1 are deleted; its figures stay."
    assert not loop.registry.folder(UID, "ner-v1").exists()
    assert "serves: promote another one" in lead.press("versions/ner-v2/delete")
    assert "were removed to save space" in lead.press("versions/ner-v1/promote")


@pytest.mark.parametrize("name", ["..", "ner-v1%2F..", "ner-v0", "x" * 300])
def test_odd_version_names_are_refused(name: str, lead: Lead, publish: Callable[..., Version], loop: Loop) -> None:
    publish()
    answer = lead.post(f"versions/{name}/delete")
    assert answer.status_code in (303, 404, 405, 308)
    assert loop.registry.folder(UID, "ner-v1").exists()


def test_an_unknown_projects_button_is_a_page(lead: Lead, registered: str) -> None:
    answer = lead.client.post("/projects/9.9/train", data={"csrf_token": lead.token})
    assert answer.status_code == 404
    assert "is not connected to this service" in answer.text


# Renamed labels


def test_old_labels_are_mapped_and_training_starts(
    lead: Lead, registered: str, loop: Loop, store: Store, queue: FakeQueue
) -> None:
    message = lead.press("labels/map", old=["Person", "Typo", "Town"], new=["Dish", "", "Location"])
    [run] = loop.runs(UID)
    assert message == f"Person is read as Dish, Town is read as Location; run {run.id} is queued."
    assert (run.reason, queue.trainings) == ("Map and train on the dashboard", 1)
    assert store.projects.get(UID).label_map == {"Person": "Dish", "Town": "Location"}
    assert lead.press("labels/unmap", old="Town") == "The mapping of Town is removed: the next run does not use it."
    assert store.projects.get(UID).label_map == {"Person": "Dish"}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "Choose a label for at least one of the old labels."),
        ({"old": ["Person"], "new": [""]}, "Choose a label for at least one of the old labels."),
        ({"old": ["Person"], "new": ["Food"]}, "The configuration has no label 'Food', use one of its labels: Dish,"),
        ({"old": ["Dish"], "new": ["Cuisine"]}, "'Dish' is a label of the configuration"),
    ],
)
def test_mapping_that_cannot_be_is_said_and_starts_nothing(
    fields: dict[str, list[str]], sentence: str, lead: Lead, registered: str, loop: Loop
) -> None:
    assert lead.press("labels/map", **fields).startswith(sentence)
    assert loop.runs(UID) == []


def test_mapping_in_a_project_that_is_not_supported_is_said(lead: Lead, registered: str, store: Store) -> None:
    token = lead.token
    store.projects.save(UID, label_config="<View/>")
    fields = {"csrf_token": token, "old": ["Person"], "new": ["Dish"]}
    assert lead.client.post(f"{PAGE}labels/map", data=fields).status_code == 303
    assert "no <Labels>" in lead.read()


# The question before a promotion


def test_roll_back_asks_with_both_verdicts_and_what_will_happen(
    lead: Lead, publish: Callable[..., Version], loop: Loop, make_settings: Callable[..., Settings]
) -> None:
    loop.settings = make_settings()
    for number, f1 in ((1, 0.8), (2, 0.7)):
        decision = GateDecision(
            promote=True, rule="new_labels", documents=60, f1=f1, current_f1=0.7, new_labels=("Dish",)
        )
        publish(f"ner-v{number}", metrics=metrics(f1, 60), decision=decision)
    path = f"{PAGE}versions/ner-v1/serve"
    assert f'href="{path}">Roll back to ner-v1</a>' in lead.get().text
    page = lead.read(path)
    assert "Roll back to ner-v1? ner-v1 served before ner-v2." in page
    assert page.count("Promoted: it has labels that ") == 2
    assert "F1 0.800 on 60 held-out tasks; 95 %: 0.729 to 0.871" in page
    assert "cannot be compared" not in page
    assert "10 labelled tasks until the next run starts by itself." in page
    assert "START_TRAINING_EACH_N_UPDATES=0" in page
    assert loop.store.projects.get(UID).current_version == "ner-v2"


def test_promotion_of_a_rejected_version_asks_with_its_verdict(
    lead: Lead, publish: Callable[..., Version], loop: Loop
) -> None:
    publish("ner-v1")
    decision = GateDecision(promote=False, rule="lost_regions", documents=60, compared_with="ner-v1", regions=9)
    publish("ner-v2", decision=decision, current=False)
    page = lead.read(f"{PAGE}versions/ner-v2/serve")
    assert "Promote ner-v2?" in page
    assert "Rejected: 9 of 9 regions could not be used" in page
    lead.press("versions/ner-v2/promote")
    assert "ner-v2 serves F1" in lead.read()
    assert "Rejected: 9 of 9 regions could not be used" in lead.read()


def test_a_promotion_of_what_serves_or_is_not_there_asks_nothing(lead: Lead, publish: Callable[..., Version]) -> None:
    publish("ner-v1")
    answer = lead.get(f"{PAGE}versions/ner-v1/serve")
    assert (answer.status_code, answer.location) == (303, f"{PAGE}#message")
    assert "ner-v1 serves already." in lead.read()
    assert lead.get(f"{PAGE}versions/ner-v9/serve").status_code == 404


def test_a_version_without_files_cannot_be_promoted(lead: Lead, publish: Callable[..., Version], loop: Loop) -> None:
    publish("ner-v1")
    publish("ner-v2")
    loop.delete_version(UID, "ner-v1")
    answer = lead.get(f"{PAGE}versions/ner-v1/serve")
    assert "The files of ner-v1 are removed: it cannot serve again. ner-v2 keeps serving." in plain(answer.text)
    assert "What will happen" not in answer.text
    assert "<form" not in answer.text


def test_a_version_whose_folder_is_gone_cannot_be_promoted(
    lead: Lead, publish: Callable[..., Version], loop: Loop
) -> None:
    publish("ner-v1")
    publish("ner-v2")
    loop.registry.folder(UID, "ner-v1").rmdir()
    answer = lead.get(f"{PAGE}versions/ner-v1/serve")
    assert f"The files of ner-v1 are gone from {loop.registry.model_dir}: it cannot serve." in plain(answer.text)
    assert "<form" not in answer.text


@pytest.mark.parametrize(
    ("metrics_file", "warm_start", "start"),
    [
        ({"recipe": {"base": "same"}}, True, "ner-v1"),
        ({"recipe": {"base": "same"}}, False, "the base model ( same )"),
        ({"recipe": {"base": "other"}}, True, "the base model ( same )"),
        ({"imported": {}}, True, "ner-v1"),
        ({"imported": {}}, False, "the base model ( same )"),
        (None, True, "the base model ( same )"),
    ],
)
def test_the_question_says_what_the_next_run_starts_from(
    metrics_file: dict[str, Any] | None, warm_start: bool, start: str, lead: Lead,
    publish: Callable[..., Version], loop: Loop, make_settings: Callable[..., Settings],
) -> None:  # fmt: skip
    loop.settings = make_settings(baseline_model_name="same", warm_start=warm_start)
    publish("ner-v1", current=False)
    if metrics_file:
        (loop.registry.folder(UID, "ner-v1") / "metrics.json").write_text(json.dumps(metrics_file))
    page = lead.read(f"{PAGE}versions/ner-v1/serve")
    assert f"The next run starts from {start}, and its version is compared with ner-v1" in page


def test_versions_that_were_scored_on_other_tasks_are_said_not_to_be_comparable(
    lead: Lead, publish: Callable[..., Version]
) -> None:
    publish("ner-v1", scored_in="a" * 12)
    publish("ner-v2")
    page = lead.read(f"{PAGE}versions/ner-v1/serve")
    assert "ner-v2 and ner-v1 were not scored on the same held-out tasks, so their figures cannot be compared." in page


@pytest.mark.parametrize(
    ("path", "after", "before"),
    [
        ("versions/ner-v1/promote", 'id="main"', 'class="project"'),
        ("versions/ner-v1/pin", 'id="quality"', 'id="versions"'),
        ("train", 'id="main"', 'class="project"'),
    ],
)
def test_the_message_stands_where_the_page_is_opened(
    path: str, after: str, before: str, lead: Lead, publish: Callable[..., Version]
) -> None:
    publish("ner-v1")
    publish("ner-v2")
    assert lead.post(path, pinned="yes").location == f"{PAGE}#message"
    text = lead.get().text
    assert text.count('id="message"') == 1
    assert text.index(after) < text.index('id="message"') < text.index(before)


# Label issues


def list_issues(store: Store, *tasks: str) -> list[LabelIssue]:
    begun = store.reviews.begin(UID)
    assert begun
    issues = [
        LabelIssue(
            project=UID, task=task, start=0, end=5, text="sushi", given="Dish", kind="wrong label", view="", found=[],
            score=0.9,
        )
        for task in tasks
    ]  # fmt: skip
    assert store.reviews.finish(begun.id, issues, tasks=60, revision=0)
    return store.reviews.label_issues(UID)


def test_label_that_is_right_is_listed_no_more(lead: Lead, publish: Callable[..., Version], store: Store) -> None:
    publish()
    first, _ = list_issues(store, "3", "4")
    said = lead.press(f"label-issues/{first.key}/accept")
    assert said == "“sushi” in task 3 is right as it is: it is not listed again until the task changes."
    assert [issue.task for issue in store.reviews.label_issues(UID)] == ["4"]
    assert "not listed any more" in lead.press("label-issues/00000000/accept")


def test_label_that_is_right_can_be_listed_again(lead: Lead, publish: Callable[..., Version], store: Store) -> None:
    publish()
    [issue] = list_issues(store, "3")
    answer = lead.post(f"label-issues/{issue.key}/accept", on="list")
    assert answer.location == f"{PAGE}label-issues#message"
    assert "1 label that you said is right" in lead.read(answer.location)
    lead.post(f"label-issues/{issue.key}/accept", on="list", accepted="no")
    assert store.reviews.count(UID) == 1
    assert "you said" not in lead.read(answer.location)
