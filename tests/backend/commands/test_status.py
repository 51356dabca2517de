from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from backend.evaluation.gate import GateDecision
from backend.evaluation.verdict import explain
from backend.store import Store
from backend.store.models import TOO_FEW_LABELS, Version
from converters.phrases import Phrase
from tests.backend.commands.conftest import Command
from tests.backend.fakes import UID
from tests.backend.lossy import WHOLE, note_losses

Publish = Callable[..., Version]


def row(command: Command, *words: str) -> list[str]:
    """Cells of the only row."""
    _, line = command("status", *words).output.splitlines()
    return re.split("  +", line)


def test_without_a_project_it_says_how_to_connect_one(command: Command) -> None:
    assert command("status").output == "No project yet: run `python -m backend connect --project ID`.\n"
    assert json.loads(command("status", "--json").stdout) == []


def test_new_project(command: Command, registered: str) -> None:
    assert row(command) == ["7 Restaurants", "0", "0 of 3", "after 3 more", "none yet", "–", "0"]


def test_project_whose_phrases_are_suggested(command: Command, registered: str, store: Store) -> None:
    store.phrases.save(UID, [Phrase("sushi", "Dish")], revision=1)
    assert row(command)[4] == "none yet: phrases are suggested"
    assert "none yet: phrases are suggested" in command("status", "--project", "7").output


def test_project_that_trains_and_serves(command: Command, publish: Publish, store: Store) -> None:
    publish("ner-v1", metrics={"f1": 0.5, "documents": 84})
    store.annotations.remember(UID, {1: 1, 2: 2})
    store.changes.record(UID, ["1", "2"])
    run, _ = store.runs.queue(UID, "button")
    assert row(command)[3] == "queued"
    store.runs.claim()
    store.runs.update(run.id, attempt=1, phase="training", progress=0.41, eta_seconds=130.0)
    assert row(command) == [
        "7 Restaurants", "2", "2 of 3", "started: training 41 %, about 2 min left", "ner-v1", "0.500", "0",
    ]  # fmt: skip


def test_error_is_printed_below_the_table(command: Command, registered: str, store: Store) -> None:
    store.projects.note_comparison(UID, "Label Studio [does] not answer.")
    assert command("status").output.splitlines()[-1] == "Project 7: Label Studio [does] not answer."


def test_one_project_in_full(command: Command, publish: Publish, store: Store) -> None:
    decision = GateDecision(promote=True, rule="no_current_version", documents=84, f1=0.5)
    publish("ner-v1", metrics={"f1": 0.5, "documents": 84}, decision=decision)
    run, _ = store.runs.queue(UID, "button")
    store.runs.end(run.id, "failed", error="No labels.")
    shown = command("status", "--project", "7").output
    assert shown.startswith("7 Restaurants\n")
    for fact in (
        r"labelled tasks +0", r"training +after 3 more", r"version +ner-v1", r"score +F1 0.500 on 84 held-out tasks",
        rf"latest run +{run.id} failed 20.* UTC: No labels.", rf"verdict +{re.escape(explain(decision))}",
    ):  # fmt: skip
        assert re.search(f"^{fact}$", shown, re.MULTILINE), fact


def test_everything_as_json(command: Command, publish: Publish, store: Store) -> None:
    publish("ner-v1", metrics={"f1": 0.5, "documents": 84})
    run, _ = store.runs.queue(UID, "button")
    fields: dict[str, Any]
    [fields] = json.loads(command("status", "--json").stdout)
    assert (fields["project"], fields["id"], fields["title"], fields["f1"]) == (UID, 7, "Restaurants", 0.5)
    assert (fields["running"]["id"], fields["last"], fields["current"]["name"]) == (run.id, None, "ner-v1")
    assert (fields["labelled"], fields["changed"], fields["threshold"], fields["due_in"]) == (0, 0, 3, None)
    assert "access_token" not in json.dumps(fields)


def test_unknown_score_is_not_shown_as_a_figure(command: Command, publish: Publish) -> None:
    publish("ner-v1", metrics={"f1": 1.0, "documents": 4, "support": 3})
    assert row(command)[5] == "unknown: only 4 held-out tasks, 26 more are needed"
    [fields] = json.loads(command("status", "--json").stdout)
    assert fields["f1"] is None
    assert "26 more are needed" in fields["score"]["unknown"]
    assert "F1 unknown" in command("status", "--project", "7").output


# Regions that are not used


def test_losses_are_printed_below_the_table(command: Command, registered: str, store: Store) -> None:
    note_losses(store)
    store.projects.save(UID, label_map={"Town": "Place"})
    assert command("status").output.splitlines()[-2:] == [
        "Project 7: 378 of 412 regions of 120 labelled tasks (2 tasks could not be read) are used; not used: "
        "30 regions carry the label Person, which the configuration no longer has: rename it back, or map it; other "
        "reasons: overlaps another region (4); 2 texts are left out, because a region on them could not be read.",
        "Project 7: Town is not read as Place, because the configuration has no label Place.",
    ]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (None, "The last run failed: The disk is full: free some space."),
        (TOO_FEW_LABELS, "The last run had too few labels: The disk is full: free some space."),
    ],
)
def test_last_run_without_a_version_is_told_below_the_table(
    kind: str | None, sentence: str, command: Command, registered: str, store: Store
) -> None:
    store.runs.queue(UID, "button")
    run = store.runs.claim()
    assert run is not None
    store.runs.end(run.id, "failed", error="The disk is full: free some space.", error_kind=kind)
    assert command("status").output.splitlines()[-1] == f"Project 7: {sentence}"


def test_rejected_version_is_told_below_the_table(command: Command, publish: Publish) -> None:
    publish("ner-v1")
    rejected = GateDecision(promote=False, rule="few_documents", documents=12, tolerance=0.1, share_worse=0.97)
    publish("ner-v2", current=False, decision=rejected)
    assert command("status").output.splitlines()[-1].startswith("Project 7: ner-v2 was rejected: much worse than ")


def test_long_titles_are_shortened_in_the_table(command: Command, store: Store) -> None:
    store.projects.save(UID, title="t" * 300)
    assert f"7 {'t' * 59}… " in command("status").output


def test_project_without_losses_has_no_such_line(command: Command, registered: str, store: Store) -> None:
    note_losses(store, WHOLE)
    assert len(command("status").output.splitlines()) == 2
    shown = command("status", "--project", "7").output
    assert re.search(r"^regions +all 412 regions of 120 labelled tasks are used$", shown, re.MULTILINE)


def test_one_project_says_what_is_not_used_and_why_the_new_version_does_not_serve(
    command: Command, publish: Publish, store: Store
) -> None:
    publish("ner-v1")
    decision = GateDecision(
        promote=False, rule="forgotten_labels", documents=84, compared_with="ner-v1", regions=412, regions_used=378,
        forgotten_labels={"Person": 30},
    )  # fmt: skip
    publish("ner-v2", decision=decision, current=False)
    note_losses(store, version="ner-v2")
    store.projects.save(UID, label_map={"Meal": "Dish"})
    shown = command("status", "--project", "7").output
    for fact in (
        r"version +ner-v1",
        r"regions +378 of 412 regions of 120 labelled tasks \(2 tasks could not be read\) are used",
        r"not used +30 regions carry the label Person, which the configuration no longer has: rename it back.*",
        r"not used +other reasons: overlaps another region \(4\)",
        r"corrected +offsets corrected: 7",
        r"renamed label +Meal is read as Dish",
        rf"verdict on ner-v2 +{re.escape(explain(decision))}",
    ):
        assert re.search(f"^{fact}$", shown, re.MULTILINE), fact


def test_conversion_is_in_the_json(command: Command, registered: str, store: Store) -> None:
    run = note_losses(store)
    [fields] = json.loads(command("status", "--json").stdout)
    conversion = fields["conversion"]
    assert (conversion["run"], conversion["total"]["regions"], conversion["total"]["regions_used"]) == (run, 412, 378)
    assert conversion["held_out"] == {"tasks": 12, "tasks_used": 12, "regions": 40, "regions_used": 35}
    assert conversion["losses"][0]["examples"] == [
        {"task": "5", "detail": "'<b>Person</b>' is not there", "url": "http://localhost:8080/projects/7/data?task=5"}
    ]
    assert [example["url"] for kind in conversion["losses"][1:] for example in kind["examples"]] == [
        "http://localhost:8080/projects/7/data?task=8",
        None,  # of a task without an id
    ]
    assert conversion["unknown_labels"] == {"Person": 30}
    assert conversion["not_used"][0].startswith("30 regions carry the label Person")
    [listed] = json.loads(command("runs", "--json").stdout)
    assert listed["conversion"]["total"]["regions_used"] == 378
