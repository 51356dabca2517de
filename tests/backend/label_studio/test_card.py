from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.errors import LabelStudioError, LabelStudioUnreachable
from backend.label_studio import card as module
from backend.label_studio.api import RemoteBackend
from backend.label_studio.card import Card, Cards, card_of
from backend.loop import Loop
from backend.registry import UNTRAINED
from backend.store import Store
from backend.store.models import TOO_FEW_LABELS, Decision, Project, Run, Version
from tests.backend.fakes import UID, FakeLabelStudio

Publish = Callable[..., Version]

V1 = Version(project=UID, number=1, name="ner-v1", labels=[], metrics={"f1": 0.7812, "documents": 84})
V2 = Version(
    project=UID, number=2, name="ner-v2", labels=[], metrics={"f1": 0.6},
    decision=Decision(promote=False, rule="bootstrap", note="rejected: F1 is worse"),
)  # fmt: skip
PAGE = f"http://localhost:9090/projects/{UID}/"
END = f"The project's page: {PAGE}"
SERVES = "ner-v1 serves: F1 0.781 on 84 held-out tasks."
ENDED = 1795278805.0
TOO_FEW = "There are 0 labelled tasks: label more tasks, then start training again."


def run(state: Any, **columns: Any) -> Run:
    fields = {"id": "0123456789ab", "reason": "button", "phase": "training", "progress": 0.0, "queued_at": ENDED}
    return Run(**{**fields, "project": UID, "state": state, **columns})


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
            "ner-v1 (F1 0.781), training failed: There are no labels",
            [SERVES, "The training run of 2026-11-21 16:33 UTC failed: There are no labels."],
        ),
        (
            None,
            [run("failed", error=TOO_FEW, error_kind=TOO_FEW_LABELS, finished_at=ENDED)],
            "no model yet, too few labels: There are 0 labelled tasks",
            [
                "No model yet: label some tasks, then press Start Training.",
                f"The training run of 2026-11-21 16:33 UTC made no version: {TOO_FEW}",
            ],
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
    card = card_of(current, runs, V2 if current else None, page=PAGE)
    assert (card.title, card.description.splitlines()) == (title, [*description, END])


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        ({}, "no task is held out yet, 30 are needed"),
        ({"f1": 1.0, "documents": 84, "support": 0}, "no held-out task has regions"),
        ({"f1": 1.0, "documents": 9, "support": 12}, "only 9 held-out tasks, 21 more are needed"),
    ],
)
def test_unknown_score_is_no_figure(metrics: dict[str, Any], reason: str) -> None:
    card = card_of(Version(name="ner-v1", metrics=metrics), [], None, page=PAGE)
    assert card == Card("ner-v1 (F1 unknown)", f"ner-v1 serves: F1 unknown: {reason}.\n{END}")


def test_version_that_nobody_decided_about_is_not_described() -> None:
    assert card_of(V1, [], Version(name="ner-v2", metrics={}), page=PAGE).description == f"{SERVES}\n{END}"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (None, "training failed"),
        ("There are 0 labelled tasks: label more tasks, then start training again.", "There are 0 labelled tasks"),
        ("The disk of /data is full (10 MB are free): free some space.", "The disk of /data is full"),
        (
            "Label Studio at http://ls:8080 refuses the access token (401: no).",
            "Label Studio at http://ls:8080 refuses the access token",
        ),
        ("Memory ran out during training: lower TRAIN_BATCH_SIZE.", "Memory ran out during training"),
        ("word " * 30, "word word word word word word word word word word word word word …"),
    ],
)
def test_title_has_the_reason_of_a_failure_in_few_words(error: str | None, words: str) -> None:
    card = card_of(None, [run("failed", error=error, finished_at=ENDED)], None, page=PAGE)
    assert card.title == f"no model yet, {words if error is None else f'training failed: {words}'}"


def test_description_has_the_address_of_the_project_s_page(cards: Cards, studio: Studio) -> None:
    cards.update()
    assert shown(studio)[1].splitlines()[-1] == END


def test_text_written_by_a_person_stays() -> None:
    first = Card("one", "First.").appended_to("Ann's model", "Made by Ann.\n")
    assert first == Card("Ann's model ▸ one", "Made by Ann.\n\n▸ Written by the ML backend:\nFirst.")
    second = Card("two", "Second.").appended_to(first.title, first.description)
    assert second == Card("Ann's model ▸ two", "Made by Ann.\n\n▸ Written by the ML backend:\nSecond.")
    assert Card("one", "First.").appended_to("NER", "").description == "▸ Written by the ML backend:\nFirst."


# Writing it


def backend(number: int = 1, version: str = UNTRAINED) -> RemoteBackend:
    return RemoteBackend(number, f"http://ner:909{number}", "NER", "", version, "NONE", "", {"epochs": 5})


class Studio(FakeLabelStudio):
    """Counts the changes of its cards."""

    writes = 0

    def describe_backend(self, project_id: int, backend: RemoteBackend, *, title: str, description: str) -> None:
        super().describe_backend(project_id, backend, title=title, description=description)
        self.writes += 1


@pytest.fixture
def studio(store: Store) -> Studio:
    store.projects.save(UID, title="Restaurants")
    studio = Studio()
    studio.ml_backends = [backend()]
    return studio


@pytest.fixture
def current_run() -> list[str]:
    """The run that this worker executes."""
    return []


@pytest.fixture
def cards(loop: Loop, studio: Studio, current_run: list[str]) -> Cards:
    return Cards(
        loop.settings, loop.store, lambda settings, project: studio, lambda: current_run[0] if current_run else None
    )


def shown(studio: Studio) -> tuple[str, str]:
    [only] = studio.ml_backends
    return only.title, only.description


def test_card_follows_a_run_and_a_rollback(
    cards: Cards, loop: Loop, store: Store, studio: Studio, current_run: list[str], publish: Publish
) -> None:
    cards.update()
    assert shown(studio)[0] == "NER ▸ no model yet"
    current_run.append(loop.train(UID, reason="button").id)
    cards.update()
    assert shown(studio)[0] == "NER ▸ no model yet, waiting to train"
    store.runs.claim()
    store.runs.update(current_run[0], attempt=1, phase="training", progress=0.5)
    cards.update()
    assert shown(studio)[0] == "NER ▸ no model yet, training 50 %"
    store.runs.end(current_run[0], "finished", version="ner-v1")
    for name in ("ner-v1", "ner-v2"):
        publish(name, run=current_run[0], metrics={"f1": 0.5, "documents": 84})
        studio.ml_backends = [replace(studio.ml_backends[0], model_version=name)]
        cards.update()
        assert shown(studio)[0] == f"NER ▸ {name} (F1 0.500)"
    loop.promote(UID, "ner-v1", actor="dashboard")
    studio.ml_backends = [replace(studio.ml_backends[0], model_version="ner-v1")]
    cards.update()
    assert shown(studio)[0] == "NER ▸ ner-v1 (F1 0.500)"


def test_card_that_label_studio_puts_back_is_written_again(cards: Cards, studio: Studio) -> None:
    before = list(studio.ml_backends)
    cards.update()
    written = list(studio.ml_backends)
    studio.ml_backends = before  # as by a settings page opened before: Label Studio saves what it had read
    cards.update()
    assert studio.ml_backends == written
    assert studio.writes == 2


def test_nothing_is_written_twice(cards: Cards, studio: Studio, loop: Loop) -> None:
    cards.update()
    cards.update()  # confirms it
    studio.down = LabelStudioUnreachable("no answer")  # not called again
    cards.update()
    assert studio.writes == 1
    studio.down = None
    Cards(loop.settings, loop.store, lambda settings, project: studio, lambda: None).update()
    assert studio.writes == 1


@pytest.mark.parametrize(
    "backends",
    [[], [backend(version="other-model")], [backend(1), backend(2)]],
    ids=["none", "somebody else's", "two of ours"],
)
def test_only_a_backend_that_is_certainly_this_service_is_changed(
    backends: list[RemoteBackend], cards: Cards, studio: Studio
) -> None:
    studio.ml_backends = backends
    cards.update()
    assert studio.writes == 0


def test_this_service_is_found_among_other_backends(cards: Cards, studio: Studio) -> None:
    studio.ml_backends = [backend(1, "other-model"), backend(2)]
    cards.update()
    assert [backend.title for backend in studio.ml_backends] == ["NER", "NER ▸ no model yet"]


def test_project_that_replaced_ours_keeps_its_card(cards: Cards, studio: Studio) -> None:
    studio.uid = "7.1800000000"
    cards.update()
    assert studio.writes == 0


def test_run_of_another_worker_is_shown_by_that_worker(
    cards: Cards, loop: Loop, store: Store, studio: Studio, current_run: list[str]
) -> None:
    run = loop.train(UID, reason="button")
    store.runs.claim()
    cards.update()
    assert studio.writes == 0
    current_run.append(run.id)
    cards.update()
    assert studio.writes == 1


@pytest.mark.parametrize("error", [LabelStudioUnreachable("no answer"), LabelStudioError("500")])
def test_errors_of_label_studio_pause_the_card_and_raise_nothing(
    error: LabelStudioError, cards: Cards, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 1000.0)
    studio.down = error
    cards.update()
    studio.down = None
    cards.update()
    assert studio.writes == 0
    cards._paused_until.clear()
    cards.update()
    assert studio.writes == 1


def test_thread_survives_unexpected_errors(cards: Cards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UPDATE_SECONDS", 0.01)
    updates: list[int] = []

    def update() -> None:
        updates.append(1)
        if len(updates) == 3:
            cards.stop()
        raise ValueError("unforeseen")

    monkeypatch.setattr(cards, "update", update)
    cards._update_until_stopped()
    assert len(updates) == 3


def test_project_without_a_token_is_skipped(loop: Loop, store: Store) -> None:
    from backend.label_studio.client import open_label_studio

    store.projects.save(UID)
    Cards(loop.settings, loop.store, open_label_studio, lambda: None).update()
    assert isinstance(store.projects.get(UID), Project)
