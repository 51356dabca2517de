from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest
from flask.testing import FlaskClient

from backend.conversion import MisplacedLabel
from backend.errors import LabelStudioUnreachable
from backend.evaluation.gate import GateDecision
from backend.label_studio.client import LabelStudio
from backend.loop import Loop
from backend.registry import Registry
from backend.settings import Settings
from backend.store import Store
from backend.store.models import LabelIssue, Version
from backend.store.unread_texts import UnreadTexts
from backend.web.app import create_app
from backend.worker import Worker
from tests.backend.fakes import LABEL_CONFIG, UID, FakeLabelStudio, FakeQueue
from tests.backend.lossy import LOSSY, WHOLE, note_losses
from tests.backend.web.dashboard.conftest import PAGE, Lead
from tests.browser.sample_service import metrics

HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}"


def issue(task: str = "11", **values: object) -> LabelIssue:
    columns = {"text": "sushi", "given": "Location", "kind": "wrong label", "view": "Dish 0.97", "score": 0.93}
    return LabelIssue(project=UID, task=task, start=0, end=5, found=[], **{**columns, **values})


def review(store: Store, *label_issues: LabelIssue) -> None:
    begun = store.reviews.begin(UID)
    assert begun
    store.reviews.finish(begun.id, label_issues, tasks=40, revision=9)


# All projects, and what holds for every page


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, */*"])
def test_label_studio_gets_its_health_check(accept: str | None, client: FlaskClient, registered: str) -> None:
    answer = client.get("/", headers={"Accept": accept} if accept else {})
    assert answer.get_json() == {"status": "UP", "model_class": "NER"}
    assert "Accept" in answer.headers["Vary"]


def test_a_browser_gets_the_projects(lead: Lead, registered: str) -> None:
    answer = lead.get("/")
    assert answer.mimetype == "text/html"
    assert f'href="{PAGE}"' in answer.text
    assert "Restaurants" in answer.text


def test_without_a_project_the_page_says_how_to_connect_one(lead: Lead) -> None:
    page = lead.read("/")
    assert "No project is connected yet" in page
    assert "python -m backend connect --project 1" in page


@pytest.mark.parametrize("path", ["/", PAGE, f"{PAGE}label-issues", "/projects/9.9/", "/assets/dashboard.css"])
def test_every_answer_is_locked_down(path: str, lead: Lead, registered: str) -> None:
    headers = lead.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_pages_ask_nobody_else(lead: Lead, publish: Callable[..., Version]) -> None:
    publish(metrics=metrics(0.8, 60))
    text = lead.get().text
    outside = [part for part in text.split('"') if part.startswith(("http:", "https:", "//"))]
    assert set(outside) <= {"http://www.w3.org/2000/svg", "http://localhost:8080/projects/7/data"}
    assert " style=" not in text
    assert " onclick=" not in text
    assert "<style" not in text


def test_the_dashboard_is_behind_the_password(
    make_settings: Callable[..., Settings], store: Store, registry: Registry, registered: str
) -> None:
    settings = make_settings(basic_auth_user="lead", basic_auth_pass="secret")
    guarded = Lead(create_app(settings, Loop(settings, store, registry, FakeQueue())).test_client())
    for path in ("/", PAGE, f"{PAGE}live", "/assets/dashboard.css", f"{PAGE}versions/ner-v1.zip"):
        assert guarded.get(path).status_code == 401
    assert guarded.client.post(f"{PAGE}train").status_code == 401


@pytest.mark.parametrize("path", ["/projects/9.9/", "/projects/9.9/label-issues", f"{PAGE}runs/0123"])
def test_what_is_not_there_is_a_page_with_a_sentence(path: str, lead: Lead, registered: str) -> None:
    answer = lead.get(path)
    assert answer.status_code == 404
    assert answer.mimetype == "text/html"
    assert "is not connected to this service" in answer.text or "There is no training run" in answer.text


@pytest.mark.parametrize("path", ["runs/0123", "runs/0123/nowhere", "nowhere", "versions/ner-v9/serve"])
def test_an_error_inside_a_project_leads_back_to_it(path: str, lead: Lead, registered: str) -> None:
    assert f'href="{PAGE}"><span>Back to <bdi>Restaurants</bdi>' in lead.get(PAGE + path).text


def test_an_error_outside_a_project_leads_to_all_projects(lead: Lead, registered: str) -> None:
    for path in ("/nowhere", "/projects", "/projects/9.9/nowhere"):
        text = lead.get(path).text
        assert "Back to" not in text
        assert "All projects" in text


def test_a_crash_shows_no_detail(lead: Lead, registered: str, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(uid: str) -> None:
        raise RuntimeError("the s3cret detail")

    monkeypatch.setattr(loop, "versions", crash)
    answer = lead.get()
    assert answer.status_code == 500
    assert "see the service&#39;s log" in answer.text
    assert "s3cret" not in answer.text


# First contact


def test_before_any_label_the_page_says_how_many_tasks_are_missing(lead: Lead, registered: str) -> None:
    page = lead.read()
    assert "No version yet, and no labelled task: label the first ones in Label Studio." in page
    assert "3 labelled tasks until the first run starts by itself." in page
    assert "What comes next" in page
    assert "Phrases marked so far are suggested where they occur again, until the first version serves." in page


def test_with_some_labels_the_page_counts_down(lead: Lead, registered: str, loop: Loop) -> None:
    loop.annotations_saved(UID, {11: 1, 12: 2})
    assert "No version yet. 1 more labelled or changed task until the first run starts by itself." in lead.read()


def test_without_a_threshold_the_button_is_named(
    lead: Lead, registered: str, loop: Loop, make_settings: Callable[..., Settings]
) -> None:
    loop.settings = make_settings(start_training_each_n_updates=0)
    assert "The first run starts with the button only." in lead.read()


@pytest.mark.parametrize(
    ("threshold", "min_tasks", "labelled", "of", "sentence"),
    [
        (10, 10, 4, "4 of 10", "6 more labelled or changed tasks until the first run"),
        (5, 10, 4, "4 of 10", "6 more labelled or changed tasks until the first run"),
        (20, 10, 4, "4 of 20", "16 more labelled or changed tasks until the first run"),
        (2, 3, 4, "4 of 2", "The first run starts with the next labelled task"),
    ],
)
def test_the_bar_and_the_sentence_count_the_same_tasks(
    threshold: int, min_tasks: int, labelled: int, of: str, sentence: str, lead: Lead, registered: str, loop: Loop,
    make_settings: Callable[..., Settings],
) -> None:  # fmt: skip
    loop.settings = make_settings(start_training_each_n_updates=threshold, min_tasks_to_start_training=min_tasks)
    loop.store.annotations.remember(UID, {100 + task: task for task in range(labelled)})
    loop.store.changes.record(UID, [str(task) for task in range(labelled)])
    page = lead.read()
    assert f"Towards the first version {of}" in page
    assert sentence in page


def test_after_a_cancelled_run_the_bar_ends_where_the_next_run_starts(
    lead: Lead, registered: str, loop: Loop, make_settings: Callable[..., Settings]
) -> None:
    loop.settings = make_settings(start_training_each_n_updates=10, min_tasks_to_start_training=0)
    loop.store.changes.record(UID, [str(task) for task in range(12)])
    loop.cancel(loop.train(UID, reason="button").id)
    page = lead.read()
    assert "12 of 22" in page
    assert "10 more labelled or changed tasks until the first run starts by itself." in page


def steps(lead: Lead) -> list[str]:
    """The state of each step of "What comes next": done, the current one, or still to come."""
    text = lead.get().text
    section = text[text.index('id="first"') : text.index('id="download"')].split("</ol>")[0]
    rows = [row.split(">")[0] for row in section.split("<li")[1:]]
    return ["done" if "done" in row else "now" if "aria-current" in row else "" for row in rows]


def test_what_comes_next_stays_until_a_version_serves(
    lead: Lead, publish: Callable[..., Version], registered: str, loop: Loop, store: Store
) -> None:
    assert steps(lead) == ["now", "", ""]
    loop.annotations_saved(UID, {11: 1})
    assert steps(lead) == ["now", "", ""]
    run = loop.train(UID, reason="button")
    assert steps(lead) == ["done", "now", ""]
    assert "A run is training it: see its progress above." in lead.read()
    store.runs.end(run.id, "failed", error="The disk is full.")
    assert steps(lead) == ["now", "", ""]
    publish(current=False)
    assert steps(lead) == ["done", "done", "now"]
    assert "ner-v1 does not serve" in lead.read()
    loop.promote(UID, "ner-v1", actor="dashboard")
    assert "What comes next" not in lead.read()


def test_names_that_people_gave_have_a_direction_of_their_own(
    lead: Lead, publish: Callable[..., Version], store: Store
) -> None:
    publish()
    store.projects.save(UID, title="שאלות")
    assert '<h1 dir="auto">שאלות</h1>' in lead.get().text
    assert 'dir="auto">שאלות</a>' in lead.get("/").text
    assert '<textarea id="try-text" name="text" rows="4" required dir="auto"' in lead.get().text


def test_an_unsupported_label_config_is_explained(lead: Lead, store: Store) -> None:
    store.projects.save(UID, title="Pictures", label_config='<View><Image name="i" value="$image"/></View>')
    page = lead.read()
    assert "labelling configuration is not supported" in page
    assert 'add <Labels name="label" toName="text">' in page


@pytest.mark.parametrize(
    "error",
    [
        "Label Studio at http://ls does not answer (refused): check that it runs and that LABEL_STUDIO_URL is right.",
        "Label Studio at http://ls refuses the access token (401: no): set LABEL_STUDIO_API_KEY to a token.",
    ],
)
def test_error_of_label_studio_is_shown_with_its_remedy(error: str, lead: Lead, store: Store, registered: str) -> None:
    store.projects.note_comparison(UID, error)
    assert f"The last comparison with Label Studio failed {error}" in lead.read()
    assert "The last comparison with Label Studio failed." in lead.read("/")
    store.projects.note_comparison(UID, None)
    assert "failed" not in lead.read()


def test_error_that_a_worker_recorded_is_on_the_page(lead: Lead, registered: str, loop: Loop) -> None:
    error = "Label Studio at http://ls does not answer: check that it runs."
    away = FakeLabelStudio(down=LabelStudioUnreachable(error))
    Worker(loop, lambda settings, project: cast(LabelStudio, away)).reconcile()
    assert f"The last comparison with Label Studio failed {error}" in lead.read()
    away.down = None
    Worker(loop, lambda settings, project: cast(LabelStudio, away)).reconcile()
    assert "failed" not in lead.read()


def test_a_missing_worker_is_an_alert(
    lead: Lead, store: Store, registered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.projects.note_comparison(UID, None)
    assert "No worker" not in lead.read()
    later = time.time() + 600
    monkeypatch.setattr(time, "time", lambda: later)
    assert "start one with <code>python -m backend work</code>" in lead.get().text


def test_a_failed_run_is_explained_until_the_next(lead: Lead, registered: str, loop: Loop, store: Store) -> None:
    run = loop.train(UID, reason="button")
    store.runs.end(run.id, "failed", error="The disk is full: see `df`.")
    assert "The last run failed just now The disk is full: see df ." in lead.read()
    assert "The last run failed." in lead.read("/")
    assert f'href="{PAGE}runs/{run.id}"' in lead.get().text
    loop.train(UID, reason="button")
    assert "The run before failed just now" in lead.read()


# The state of the loop


def test_numbers_of_the_loop(lead: Lead, publish: Callable[..., Version], loop: Loop) -> None:
    publish(metrics=metrics(0.815, 60))
    loop.annotations_saved(UID, {11: 1, 12: 2})
    page = lead.read()
    assert "ner-v1 makes the pre-labels in Label Studio. 1 more labelled or changed task until the next run" in page
    assert "Labelled tasks 2 Changed since the last run 2 of 3" in page
    assert "F1 on 60 held-out tasks 0.815 95 %: 0.744 to 0.886" in page
    assert "ner-v1 serves F1 0.815 on 60 held-out tasks; 95 %: 0.744 to 0.886" in page
    assert "F1 0.815 on 60 held-out tasks" in lead.read("/")


def test_a_run_is_shown_with_its_phase_and_time_left(lead: Lead, registered: str, loop: Loop, store: Store) -> None:
    run = loop.train(UID, reason="button")
    assert "Waiting for a worker" in lead.read()
    store.runs.claim()
    store.runs.update(run.id, attempt=1, phase="training", progress=0.42, eta_seconds=130)
    answer = lead.get()
    assert 'value="0.42"' in answer.text
    page = lead.read()
    assert "Training 42 % about 2 min left" in page
    assert "End this run for good? It makes no version." in page
    assert "Runs running button just now" in page
    live = lead.get(f"{PAGE}live").get_json()
    assert live["texts"]["phase"] == "Training"
    assert live["texts"]["left"] == "about 2 min left"
    assert live["progress"] == 0.42
    store.runs.end(run.id, "finished", version="ner-v1")
    ended = lead.get(f"{PAGE}live").get_json()
    assert ended["progress"] is None
    assert ended["signature"] != live["signature"]


def test_signature_stays_while_only_numbers_change(lead: Lead, registered: str, loop: Loop) -> None:
    loop.annotations_saved(UID, {11: 1})
    before = lead.get(f"{PAGE}live").get_json()
    loop.annotations_saved(UID, {12: 2})
    after = lead.get(f"{PAGE}live").get_json()
    assert before["signature"] == after["signature"]
    assert (before["texts"]["labelled"], after["texts"]["labelled"]) == ("1", "2")


# Quality, versions, runs, label issues


def test_figures_of_the_current_version(lead: Lead, publish: Callable[..., Version]) -> None:
    for number, f1 in ((1, 0.6), (2, 0.8)):
        publish(f"ner-v{number}", metrics=metrics(f1, 60), labels=("Dish", "Cuisine"))
    page = lead.read()
    assert "ner-v1: 0.600, 95 % 0.529 to 0.671. ner-v2: 0.800" in page
    assert "Labels of ner-v2, the weakest first" in page
    assert "Marked by people By the model Times Dish marked as Cuisine 4 of" in page
    assert "three different numbers of tasks" in page


def test_only_the_versions_that_are_drawn_are_read_aloud(
    lead: Lead, publish: Callable[..., Version], loop: Loop
) -> None:
    for number in range(1, 24):
        publish(f"ner-v{number}", metrics=metrics(0.6, 60))
    loop.promote(UID, "ner-v2", actor="dashboard")
    page = lead.read()
    assert "The newest 20 of 23 versions are drawn, and the current one before them." in page
    assert "ner-v1: 0.600, 95 %" not in page
    assert "ner-v2: 0.600, 95 % 0.529 to 0.671. ner-v4: 0.600" in page


def test_versions_without_a_score_are_shown_without_charts(lead: Lead, publish: Callable[..., Version]) -> None:
    publish(metrics={})
    page = lead.read()
    assert "No version has a known F1 yet: no task is held out yet, 30 are needed." in page
    assert "ner-v1 serves F1 unknown: no task is held out yet" in page


def test_buttons_fit_the_version(lead: Lead, publish: Callable[..., Version], loop: Loop) -> None:
    for number in (1, 2, 3, 4):
        publish(f"ner-v{number}")
    loop.promote(UID, "ner-v3", actor="dashboard")
    loop.pin(UID, "ner-v2", True)
    loop.delete_version(UID, "ner-v1")
    text = lead.get().text
    section = text[text.index('id="versions"') : text.index('id="runs"')]
    rows = dict(zip(("v4", "v3", "v2", "v1"), section.split("<li class=")[1:], strict=True))
    assert "Promote<" in rows["v4"]
    assert "Delete the files" in rows["v4"]
    assert "/promote" not in rows["v3"]
    assert "/delete" not in rows["v3"]
    assert "Roll back<" in rows["v2"]
    assert "Unpin<" in rows["v2"]
    assert "/delete" not in rows["v2"]
    assert "files removed" in rows["v1"]
    assert "<form" not in rows["v1"]
    assert "Roll back to ner-v2" in text[: text.index('id="versions"')]


@pytest.mark.parametrize(
    ("promoted", "rollback"),
    [
        ("1", None),
        ("1 2", "ner-v1"),
        ("1 2 1", None),
        ("1 2 1 3", "ner-v1"),  # ner-v2 was rolled back
        ("1 3 2", "ner-v1"),
        ("1 2 3 2 4", "ner-v2"),
    ],
)
def test_roll_back_goes_to_the_version_that_served_before(
    promoted: str, rollback: str | None, lead: Lead, publish: Callable[..., Version], loop: Loop
) -> None:
    for number in (1, 2, 3, 4):
        publish(f"ner-v{number}", current=False)
    for digit in promoted.split():
        loop.promote(UID, f"ner-v{digit}", actor="dashboard")
    text = lead.get().text
    head = text[: text.index('id="versions"')]
    assert re.findall(r"Roll back to ([\w-]+)", head) == ([rollback] if rollback else [])


def test_the_former_address_of_label_issues_leads_to_them(lead: Lead, registered: str) -> None:
    answer = lead.get(f"{PAGE}suspects")
    assert (answer.status_code, answer.headers["Location"]) == (301, f"{PAGE}label-issues")


def test_a_runs_page_has_its_log(lead: Lead, registered: str, loop: Loop) -> None:
    run = loop.train(UID, reason="command line", overrides={"epochs": 3})
    assert "The run has written nothing yet." in lead.read(f"{PAGE}runs/{run.id}")
    loop.registry.log_file(UID, run.id).write_text(f"loading\n{HOSTILE}\n")
    page = lead.read(f"{PAGE}runs/{run.id}")
    assert "Reason command line" in page
    assert "Epochs 3" in page
    assert HOSTILE in page
    assert f"runs/{run.id}" in lead.get().text


def test_another_projects_run_is_not_shown(lead: Lead, registered: str, loop: Loop) -> None:
    loop.register_project("8.1", title="Other", label_config=LABEL_CONFIG)
    run = loop.train("8.1", reason="button")
    assert lead.get(f"{PAGE}runs/{run.id}").status_code == 404


def test_label_issues_link_to_their_tasks(
    lead: Lead, publish: Callable[..., Version], store: Store, loop: Loop, make_settings: Callable[..., Settings]
) -> None:
    loop.settings = make_settings()
    publish()
    assert "After a training run" in lead.read()
    review(
        store,
        *(issue(str(task)) for task in range(10)),
        issue("99", given=None, kind="missing", score=0.99, before="we ate ", after=" there", annotator="Ann"),
    )
    answer = lead.get()
    assert 'href="http://localhost:8080/projects/7/data?task=99"' in answer.text
    page = lead.read()
    assert "Missing 99 % we ate sushi there Not marked by Ann . The model: Dish 0.97 Task 99" in page
    assert "All 11 label issues" in page
    assert lead.get(f"{PAGE}label-issues").text.count("data?task=") == 11
    loop.tasks_changed(UID, ["99"])
    assert "task=99" not in lead.get().text


def test_state_of_the_review_is_shown(
    lead: Lead, publish: Callable[..., Version], store: Store, loop: Loop, make_settings: Callable[..., Settings]
) -> None:
    publish()
    assert "switched off (LABEL_ISSUES=false)" in lead.read()
    loop.settings = make_settings()
    begun = store.reviews.begin(UID)
    assert begun
    store.reviews.note_progress(begun.id, 0.414)
    assert "being reviewed now. 41 %" in lead.read()
    live = lead.get(f"{PAGE}live").get_json()
    assert (live["texts"]["review"], live["review"]) == ("41 %", 0.414)
    store.reviews.release(begun.id)
    assert "was interrupted, and goes on when a worker is free" in lead.read()
    begun = store.reviews.begin(UID)
    assert begun
    store.reviews.fail(begun.id, "It needs 20 labelled tasks.")
    assert "It needs 20 labelled tasks." in lead.read()
    review(store)
    assert "No label issue is left in 40 labelled tasks." in lead.read()


def test_hostile_names_and_texts_stay_text(
    lead: Lead, publish: Callable[..., Version], store: Store, loop: Loop, make_settings: Callable[..., Settings]
) -> None:
    loop.settings = make_settings()
    figures = metrics(0.7, 60)
    figures["per_label"] = {HOSTILE: figures["per_label"]["Dish"]}
    decision = GateDecision(
        promote=True, rule="new_labels", documents=60, f1=0.7, current_f1=0.7, new_labels=(HOSTILE,)
    )
    publish(metrics=figures, labels=(HOSTILE,), decision=decision)
    quoted = HOSTILE.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    config = LABEL_CONFIG.replace('value="Dish"', f'value="{quoted}" background="{quoted}"')
    store.projects.save(UID, title=HOSTILE, label_config=config)
    store.projects.note_comparison(UID, HOSTILE)
    run = loop.train(UID, reason=HOSTILE)
    store.runs.end(run.id, "failed", error=HOSTILE)
    review(store, issue(text=HOSTILE, given=HOSTILE, view=HOSTILE, task=HOSTILE[:20]))
    for path in ("/", PAGE, f"{PAGE}label-issues", f"{PAGE}runs/{run.id}"):
        text = lead.get(path).text
        assert "<script>alert" not in text
        assert "{{7*7}}" in text
        assert "&lt;script&gt;" in text


def test_label_colours_are_a_style_sheet(lead: Lead, store: Store) -> None:
    config = LABEL_CONFIG.replace('value="Dish"', 'value="Dish" background="#ffb53e"')
    store.projects.save(UID, title="Restaurants", label_config=config)
    answer = lead.get(f"{PAGE}labels.css")
    assert answer.mimetype == "text/css"
    assert answer.text.startswith(".label-0 { --label-background: #ffb53e; --label-text: #000000 }\n")
    assert f'href="{PAGE}labels.css"' in lead.get().text


# Regions that are not used


def test_losses_are_an_alert_with_their_kinds_tasks_and_a_form(
    lead: Lead, publish: Callable[..., Version], store: Store
) -> None:
    publish("ner-v1")
    decision = GateDecision(
        promote=False, rule="forgotten_labels", documents=84, compared_with="ner-v1", regions=412, regions_used=378,
        forgotten_labels={"Person": 30},
    )  # fmt: skip
    publish("ner-v2", decision=decision, current=False)
    run = note_losses(store, version="ner-v2")
    page, text = lead.read(), lead.get().text
    assert "34 of 412 regions are not used" in page
    assert (
        "30 regions carry the label Person, which the configuration no longer has: rename it back, or map it." in page
    )
    assert "The last run: ner-v2 was rejected" in page
    assert "The version cannot predict Person any more, which ner-v1 can. ner-v1 keeps serving." in page
    assert "label not in the configuration 30 5" in page
    assert 'href="http://localhost:8080/projects/7/data?task=5"' in text
    assert "overlaps another region 4 8 (opens in a new tab)" in page.replace("in Label Studio ", "")
    assert 'name="old" value="Person"' in text
    assert re.findall(r"<option[^>]*>([^<]*)</option>", text) == ["– not mapped –", "Dish", "Cuisine", "Location"]
    assert f'href="{PAGE}runs/{run}#regions-title"' in text
    assert "34 of 412 regions are not used." in lead.read("/")


def test_label_that_only_another_text_offers_is_named_and_not_offered_for_mapping(
    lead: Lead, registered: str, store: Store
) -> None:
    misplaced = (MisplacedLabel("Town", "title", 4), MisplacedLabel("Person", "title", 30, read_as="Town"))
    offered = {"title": ("Dish", "Cuisine")}
    note_losses(store, replace(LOSSY, misplaced_labels=misplaced, offered=offered, renamed={"Person": "Town"}))
    store.projects.save(UID, label_map={"Person": "Town"})
    page, text = lead.read(), lead.get().text
    assert "4 regions carry the label Town on the text title, which does not offer it: add it to that text" in page
    assert "title, does not offer Town: map it to one of its labels (Dish, Cuisine), or add Town to them." in page
    assert "from the next run on" not in page
    assert re.findall(r'name="old" value="([^"]*)"', text)[:1] == ["Person"]
    assert 'name="old" value="Town"' not in text


def test_tasks_whose_text_could_not_be_read_are_an_alert_while_their_version_serves(
    lead: Lead, publish: Callable[..., Version], store: Store
) -> None:
    publish("ner-v1")
    store.syncs.note_unread(UID, UnreadTexts("ner-v1", empty=12, empty_example="Task 5: <b>no such file</b>."))
    page = lead.read()
    assert "Some tasks have no regions from the model" in page
    assert "12 unlabelled tasks got an empty prediction of ner-v1, because the text cannot be read. Task 5: <b>" in page
    publish("ner-v2")
    assert "got an empty prediction" not in lead.read()


def test_losses_of_a_mapped_label_are_said_as_such(lead: Lead, registered: str, store: Store) -> None:
    note_losses(store, replace(LOSSY, losses=LOSSY.losses[:1], texts_left_out=0))
    signature = lead.client.get(f"{PAGE}live").get_json()["signature"]
    store.projects.save(UID, label_map={"Person": "Dish"})
    page = lead.read()
    assert "are not used" not in page
    assert "Person is read as Dish from the next run on. Remove" in page
    assert lead.client.get(f"{PAGE}live").get_json()["signature"] != signature


def test_all_regions_used_is_a_quiet_line(lead: Lead, registered: str, store: Store) -> None:
    note_losses(store, WHOLE)
    assert "All 412 regions of 120 labelled tasks are used." in lead.read()
    assert 'class="alert"' not in lead.get().text


def test_mapping_that_does_not_fit_any_more_is_said(lead: Lead, registered: str, store: Store) -> None:
    store.projects.save(UID, label_map={"Town": "Place"})
    assert "Town is not read as Place, because the configuration has no label Place." in lead.read()


def test_page_of_a_run_has_every_example(lead: Lead, registered: str, store: Store) -> None:
    run = note_losses(store)
    path = f"{PAGE}runs/{run}"
    page = lead.read(path)
    assert "378 of 412 regions of 120 labelled tasks (2 tasks could not be read) are used" in page
    assert "of the held-out tasks 35 of 40 regions" in page
    assert "Task 8 in Label Studio (opens in a new tab) : Dish at 4 to 9" in page
    assert "Task #9: Dish" in page
    assert "offsets corrected 7" in page
    text = lead.get(path).text
    assert "<b>Person</b>" not in text
    assert "data?task=21" in text


@pytest.mark.parametrize("label", [HOSTILE, "", "a" * 500])
def test_unknown_label_of_any_form_is_text(label: str, lead: Lead, registered: str, store: Store) -> None:
    note_losses(store, replace(LOSSY, unknown_labels={label: 3}))
    assert "<script>alert" not in lead.get().text
    assert "3 regions carry the label" in lead.read()
