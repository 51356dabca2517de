from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backend.evaluation.gate import GateDecision
from backend.loop import Loop
from backend.store import Store
from backend.store.models import TOO_FEW_LABELS, Run, Version
from tests.backend.fakes import UID
from tests.backend.lossy import WHOLE, note_losses
from tests.backend.web.dashboard.conftest import PAGE, Lead
from tests.browser.sample_service import metrics

Publish = Callable[..., Version]


def ended(store: Store, state: Any, **columns: Any) -> Run:
    run, _ = store.runs.queue(UID, "button")
    store.runs.claim()
    store.runs.end(run.id, state, **columns)
    return run


def decision(promote: bool, rule: Any = "bootstrap", **values: Any) -> GateDecision:
    figures = {"documents": 60, "f1": 0.7, "current_f1": 0.8, "compared_with": "ner-v1", "tolerance": 0.005}
    return GateDecision(promote=promote, rule=rule, **{**figures, "share_worse": 0.9, "share_better": 0.1, **values})


def two_versions(publish: Publish, store: Store, *, promote: bool, **second: Any) -> Run:
    publish("ner-v1", metrics=metrics(0.8, 60))
    columns = {"metrics": metrics(0.7, 60), "decision": decision(promote), **second}
    publish("ner-v2", current=promote, **columns)
    return ended(store, "finished", version="ner-v2")


def test_before_the_first_run_has_ended_there_is_no_block(lead: Lead, registered: str, store: Store) -> None:
    assert "last-run" not in lead.get().text
    store.runs.queue(UID, "button")
    assert "last-run" not in lead.get().text


def test_a_promoted_version_is_shown_with_its_figures(lead: Lead, publish: Publish, store: Store) -> None:
    run = two_versions(publish, store, promote=True)
    page, text = lead.read(), lead.get().text
    assert "The last run: ner-v2 was promoted just now F1 0.700 against 0.800 of ner-v1 on the same 60" in page
    assert "Labels that lost most" not in page
    assert f'href="{PAGE}compare?a=ner-v1&amp;b=ner-v2"' in text
    assert f'href="{PAGE}runs/{run.id}">Log of this run' in text


def test_a_rejected_version_is_shown_with_the_labels_that_lost_most(lead: Lead, publish: Publish, store: Store) -> None:
    worse = metrics(0.7, 60)
    worse["per_label"]["Dish"] |= {"f1": 0.51}
    worse["per_label"]["Cuisine"] |= {"f1": 0.9}
    two_versions(publish, store, promote=False, metrics=worse)
    page = lead.read()
    assert "The last run: ner-v2 was rejected just now F1 0.700 against 0.800" in page
    assert "ner-v1 keeps serving. Labels that lost most against ner-v1 Dish F1 0.830 → 0.510 −0.320 Location" in page
    assert "Cuisine F1" not in page
    assert "failed" not in lead.get().text


@pytest.mark.parametrize(
    ("f1", "rare", "sentence"),
    [
        (0.7, ("Hours",), "Not known for Hours: too few held-out tasks."),
        (0.7, ("Hours", "Price"), "Not known for Price and Hours: too few held-out tasks."),
        (
            0.7,
            ("Hours", "Price", "Dish", "Cuisine", "Location"),
            "No label with 10 held-out tasks or more has a lower F1. "
            "Not known for Dish, Location, Cuisine and 2 more: too few held-out tasks.",
        ),
        (
            0.9,
            ("Hours",),
            "No label with 10 held-out tasks or more has a lower F1. Not known for Hours: too few held-out tasks.",
        ),
    ],
)
def test_labels_that_are_too_rare_to_have_lost_are_named(
    f1: float, rare: tuple[str, ...], sentence: str, lead: Lead, publish: Publish, store: Store
) -> None:
    after = metrics(f1, 120)
    for label, row in after["per_label"].items():
        row["interval"] = None if label in rare else [0.5, 0.9]
    publish("ner-v1", metrics=metrics(0.8, 120))
    publish("ner-v2", current=False, metrics=after, decision=decision(promote=False))
    ended(store, "finished", version="ner-v2")
    page = lead.read()
    assert sentence in page
    assert ("Labels that lost most against ner-v1" in page) == (not sentence.startswith("No label"))


def test_a_first_version_that_phrases_beat_is_shown_with_their_figures(
    lead: Lead, publish: Publish, store: Store
) -> None:
    publish("ner-v1", current=False, decision=decision(False, compared_with="phrases"))
    ended(store, "finished", version="ner-v1")
    page, text = lead.read(), lead.get().text
    assert "ner-v1 was rejected just now F1 0.700 against 0.800 of the phrases marked so far on the same 60" in page
    assert "Phrases are suggested until a version is better." in page
    assert "a=phrases" not in text


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        ({"scored_in": "f" * 12}, "ner-v2 and ner-v1 were not scored on the same held-out tasks."),
        (
            {"metrics": metrics(0.7, 12)},
            "Which labels lost cannot be told: only 12 held-out tasks, 18 more are needed.",
        ),
        ({"metrics": metrics(0.9, 60)}, "No label with 10 held-out tasks or more has a lower F1."),
    ],
)
def test_why_no_label_is_named_is_said(
    second: dict[str, Any], sentence: str, lead: Lead, publish: Publish, store: Store
) -> None:
    two_versions(publish, store, promote=False, **second)
    page = lead.read()
    assert sentence in page
    assert "Labels that lost most" not in page


def test_a_version_rejected_for_lost_regions_has_no_sentence_about_scores(
    lead: Lead, publish: Publish, store: Store
) -> None:
    lost = decision(False, "lost_regions", regions=9, max_lost_regions=0.1)
    two_versions(publish, store, promote=False, decision=lost, scored_in=None)
    page = lead.read()
    assert "9 of 9 regions could not be used, a larger share than MAX_LOST_REGIONS allows (0.1)" in page
    assert "cannot be told" not in page


@pytest.mark.parametrize(
    ("promote", "by_hand", "sentence"),
    [
        (True, "ner-v1", "ner-v1 serves now, promoted by a person."),
        (False, "ner-v2", "A person has promoted ner-v2 since: it serves now."),
    ],
)
def test_a_promotion_by_hand_since_then_is_said(
    promote: bool, by_hand: str, sentence: str, lead: Lead, publish: Publish, store: Store, loop: Loop
) -> None:
    two_versions(publish, store, promote=promote)
    loop.promote(UID, by_hand, actor="dashboard")
    assert sentence in lead.read()


@pytest.mark.parametrize(
    ("state", "columns", "title"),
    [
        ("failed", {"error": "The disk is full."}, "The last run failed just now The disk is full."),
        ("failed", {}, "The last run failed just now No reason was recorded."),
        ("cancelled", {}, "The last run was cancelled just now"),
        ("finished", {"version": "ner-v1"}, "The last run made ner-v1 just now"),
    ],
)
def test_other_ends_are_named(
    state: str, columns: dict[str, str], title: str, lead: Lead, registered: str, store: Store
) -> None:
    ended(store, state, **columns)
    assert title in lead.read()
    assert ('class="last-run failed"' in lead.get().text) == (state == "failed")


def test_too_few_labels_is_no_failure(lead: Lead, registered: str, store: Store) -> None:
    run = ended(store, "failed", error="There are 0 labelled tasks: label more.")
    with store._database.write() as session:
        session.get_one(Run, run.id).error_kind = TOO_FEW_LABELS
    page, text = lead.read(), lead.get().text
    assert "The last run made no version: there are too few labels just now There are 0 labelled tasks" in page
    assert 'class="last-run too_few_labels"' in text
    assert "The last run" not in lead.read("/")


def test_what_a_run_before_could_not_use_is_not_said_of_the_last_one(lead: Lead, registered: str, store: Store) -> None:
    note_losses(store)
    failed = ended(store, "failed", error="The disk is full.")
    text = lead.get().text
    block = text[text.index('class="last-run failed"') :].split("</div>")[0]
    assert f"runs/{failed.id}" in block
    assert "34 of 412 regions are not used" not in block
    assert "34 of 412 regions are not used" in text


def test_regions_that_a_run_before_used_are_not_said_of_the_last_one(lead: Lead, registered: str, store: Store) -> None:
    note_losses(store, WHOLE)
    assert "All 412 regions of 120 labelled tasks are used." in lead.read()
    ended(store, "failed", error="The disk is full.")
    assert "All 412 regions" not in lead.read()
