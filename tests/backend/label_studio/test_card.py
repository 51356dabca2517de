from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.errors import LabelStudioError, LabelStudioUnreachable
from backend.label_studio import card as module
from backend.label_studio.api import RemoteBackend
from backend.label_studio.card import Card, Cards, card_of
from backend.loop import UNTRAINED, Loop
from backend.store import Store
from backend.store.models import Project, Run, Version
from tests.backend.fakes import UID, FakeLabelStudio

Publish = Callable[..., Version]

V1 = Version(project=UID, number=1, name="ner-v1", labels=[], metrics={"f1": 0.7812, "documents": 84}, verdict="")
V2 = Version(project=UID, number=2, name="ner-v2", labels=[], metrics={"f1": 0.6}, verdict="rejected: F1 is worse")
SERVES = "ner-v1 serves: F1 0.781 on 84 held-out tasks."
ENDED = 1795278805.0


def run(state: Any, **known: Any) -> Run:
    fields = {"id": "0123456789ab", "reason": "button", "phase": "training", "progress": 0.0, "queued_at": ENDED}
    return Run(**{**fields, "project": UID, "state": state, **known})


@pytest.mark.parametrize(
    ("current", "runs", "title", "description"),
    [
        (None, [], "no model yet", ["No model yet: label some tasks, then press Start Training."]),
        (V1, [], "ner-v1 (F1 0.781)", [SERVES, "ner-v2: rejected: F1 is worse."]),
        (
            None,
            [run("queued")],
            "no model yet, waiting to train",
            [
                "A training run waits for a worker (button).",
                "No model yet: label some tasks, then press Start Training.",
            ],
        ),
        (
            V1,
            [run("queued"), run("started", progress=0.414, eta_seconds=130.0), run("finished")],
            "ner-v1 (F1 0.781), training 41 %",
            ["Training: training, 41 %, about 2 min left (button).", SERVES, "ner-v2: rejected: F1 is worse."],
        ),
        (
            V1,
            [run("failed", error="There are no labels.", finished_at=ENDED)],
            "ner-v1 (F1 0.781), training failed",
            [SERVES, "The training run of 2026-11-21 16:33 UTC failed: There are no labels."],
        ),
        (
            V1,
            [run("cancelled", finished_at=ENDED), run("failed")],
            "ner-v1 (F1 0.781)",
            [SERVES, "The training run of 2026-11-21 16:33 UTC was cancelled."],
        ),
    ],
)
def test_state_in_words(current: Version | None, runs: list[Run], title: str, description: list[str]) -> None:
    card = card_of(current, runs, V2 if current else None)
    assert (card.title, card.description.splitlines()) == (title, description)


def test_version_without_a_score() -> None:
    card = card_of(Version(name="ner-v1", metrics={}, verdict=""), [], None)
    assert (card.title, card.description) == ("ner-v1", "ner-v1 serves: F1 unknown: no held-out task has regions.")


def test_what_somebody_wrote_stays() -> None:
    first = Card("one", "First.").beside("Ann's model", "Made by Ann.\n")
    assert first == Card("Ann's model ▸ one", "Made by Ann.\n\n▸ Written by the ML backend:\nFirst.")
    second = Card("two", "Second.").beside(first.title, first.description)
    assert second == Card("Ann's model ▸ two", "Made by Ann.\n\n▸ Written by the ML backend:\nSecond.")
    assert Card("one", "First.").beside("NER", "").description == "▸ Written by the ML backend:\nFirst."


# Bringing it to Label Studio


def backend(number: int = 1, version: str = UNTRAINED) -> RemoteBackend:
    return RemoteBackend(number, f"http://ner:909{number}", "NER", "", version, "NONE", "", {"epochs": 5})


class Studio(FakeLabelStudio):
    """Counts what is written on its cards."""

    writes = 0

    def describe_backend(self, project_id: int, backend: RemoteBackend, *, title: str, description: str) -> None:
        super().describe_backend(project_id, backend, title=title, description=description)
        self.writes += 1


@pytest.fixture
def studio(store: Store) -> Studio:
    store.projects.remember(UID, title="Restaurants")
    studio = Studio()
    studio.ml_backends = [backend()]
    return studio


@pytest.fixture
def mine() -> list[str]:
    """The run that this worker carries out."""
    return []


@pytest.fixture
def cards(loop: Loop, studio: Studio, mine: list[str]) -> Cards:
    return Cards(loop, lambda settings, project: studio, lambda: mine[0] if mine else None)  # type: ignore[arg-type,return-value]


def shown(studio: Studio) -> tuple[str, str]:
    [each] = studio.ml_backends
    return each.title, each.description


def test_card_follows_a_run_and_a_rollback(
    cards: Cards, loop: Loop, store: Store, studio: Studio, mine: list[str], publish: Publish
) -> None:
    cards.look()
    assert shown(studio)[0] == "NER ▸ no model yet"
    mine.append(loop.train(UID, reason="button").id)
    cards.look()
    assert shown(studio)[0] == "NER ▸ no model yet, waiting to train"
    store.runs.claim()
    store.runs.update(mine[0], attempt=1, phase="training", progress=0.5)
    cards.look()
    assert shown(studio)[0] == "NER ▸ no model yet, training 50 %"
    store.runs.end(mine[0], "finished", version="ner-v1")
    for name in ("ner-v1", "ner-v2"):
        publish(name, run=mine[0], metrics={"f1": 0.5})
        studio.ml_backends = [replace(studio.ml_backends[0], model_version=name)]
        cards.look()
        assert shown(studio)[0] == f"NER ▸ {name} (F1 0.500)"
    loop.promote(UID, "ner-v1")
    studio.ml_backends = [replace(studio.ml_backends[0], model_version="ner-v1")]
    cards.look()
    assert shown(studio)[0] == "NER ▸ ner-v1 (F1 0.500)"


def test_what_label_studio_puts_back_is_written_again(cards: Cards, studio: Studio) -> None:
    before = list(studio.ml_backends)
    cards.look()
    written = list(studio.ml_backends)
    studio.ml_backends = before  # as by a page that was opened meanwhile: Label Studio saves what it had read
    cards.look()
    assert studio.ml_backends == written
    assert studio.writes == 2


def test_nothing_is_written_twice(cards: Cards, studio: Studio, loop: Loop) -> None:
    cards.look()
    cards.look()  # it stands
    studio.down = LabelStudioUnreachable("no answer")  # not asked again
    cards.look()
    assert studio.writes == 1
    studio.down = None
    Cards(loop, lambda settings, project: studio, lambda: None).look()  # type: ignore[arg-type,return-value]
    assert studio.writes == 1


@pytest.mark.parametrize(
    "backends",
    [[], [backend(version="other-model")], [backend(1), backend(2)]],
    ids=["none", "somebody else's", "two of ours"],
)
def test_only_the_backend_that_is_certainly_ours_is_written_on(
    backends: list[RemoteBackend], cards: Cards, studio: Studio
) -> None:
    studio.ml_backends = backends
    cards.look()
    assert studio.writes == 0


def test_ours_is_found_among_others(cards: Cards, studio: Studio) -> None:
    studio.ml_backends = [backend(1, "other-model"), backend(2)]
    cards.look()
    assert [each.title for each in studio.ml_backends] == ["NER", "NER ▸ no model yet"]


def test_project_that_was_created_anew_keeps_its_card(cards: Cards, studio: Studio) -> None:
    studio.uid = "7.1800000000"
    cards.look()
    assert studio.writes == 0


def test_run_of_another_worker_is_left_to_it(
    cards: Cards, loop: Loop, store: Store, studio: Studio, mine: list[str]
) -> None:
    run = loop.train(UID, reason="button")
    store.runs.claim()
    cards.look()
    assert studio.writes == 0
    mine.append(run.id)
    cards.look()
    assert studio.writes == 1


@pytest.mark.parametrize("error", [LabelStudioUnreachable("no answer"), LabelStudioError("500")])
def test_label_studio_that_is_away_gets_a_rest_and_costs_nobody_anything(
    error: LabelStudioError, cards: Cards, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REST_SECONDS", 1000.0)
    studio.down = error
    cards.look()
    studio.down = None
    cards.look()
    assert studio.writes == 0
    cards._rest_until.clear()
    cards.look()
    assert studio.writes == 1


def test_thread_survives_whatever_happens(cards: Cards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        if len(looks) == 3:
            cards.stop()
        raise ValueError("unforeseen")

    monkeypatch.setattr(cards, "look", look)
    cards._keep()
    assert len(looks) == 3


def test_project_without_a_token_is_left_alone(loop: Loop, store: Store) -> None:
    from backend.label_studio.client import open_label_studio

    store.projects.remember(UID)
    Cards(loop, open_label_studio, lambda: None).look()
    assert isinstance(store.projects.get(UID), Project)
