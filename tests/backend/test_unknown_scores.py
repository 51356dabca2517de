"""No place that shows a version's score gives an F1 that is unknown; each gives the reason instead."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from backend.__main__ import cli
from backend.demo.show import Places, _instructions
from backend.evaluation.gate import GateDecision
from backend.evaluation.verdict import explain
from backend.label_studio.api import RemoteProject
from backend.label_studio.card import card_of
from backend.settings import Settings
from backend.store.models import Version
from tests.backend.fakes import UID
from tests.backend.web.dashboard.conftest import Lead, plain

Publish = Callable[..., Version]
Show = Callable[[str, Version], str]

DISH = {"Dish": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 3, "interval": None}}

UNKNOWN: list[tuple[dict[str, Any], str]] = [
    ({"f1": 1.0, "support": 0}, "no held-out task has regions"),
    ({"f1": 1.0, "support": 0, "documents": 40}, "no held-out task has regions"),
    ({"f1": 1.0, "support": 3, "documents": 2}, "only 2 held-out tasks, 28 more are needed"),
    ({}, "no task is held out yet, 30 are needed"),
]

KNOWN: dict[str, Any] = {"f1": 0.8764, "support": 90, "documents": 40, "intervals": {"f1": [0.75, 0.92]}}

PLACES = ("status", "status of a project", "versions", "projects page", "project page", "card", "demo")


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """The output of ``python -m backend``."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> str:
        return CliRunner().invoke(cli, words, env=settings.environment(), prog_name="python -m backend").output

    return run


@pytest.fixture
def show(run: Callable[..., str], client: FlaskClient) -> Show:
    """The text of a place that shows the score of the current version."""

    def show(place: str, version: Version) -> str:
        project = RemoteProject(
            id=7, uid=UID, title="Restaurants", label_config="", tasks=0, annotations=0, model_version=""
        )
        places: dict[str, Callable[[], str]] = {
            "status": lambda: run("status"),
            "status of a project": lambda: run("status", "--project", "7"),
            "versions": lambda: run("versions"),
            "projects page": lambda: Lead(client).read("/"),
            "project page": lambda: Lead(client).read(),
            "card": lambda: card_of(version, [], version, page="").description,
            "demo": lambda: _instructions(Places(Path(), 8080, 9090), project, version, ""),
        }
        return places[place]()

    return show


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("metrics", "reason"), UNKNOWN)
def test_unknown_score_is_shown_as_its_reason(
    place: str, metrics: dict[str, Any], reason: str, publish: Publish, show: Show
) -> None:
    text = show(place, publish(metrics=metrics))
    assert reason in text
    assert not re.search(r"\d\.\d{3}", text)


@pytest.mark.parametrize("place", PLACES)
def test_known_score_is_shown(place: str, publish: Publish, show: Show) -> None:
    text = show(place, publish(metrics=KNOWN))
    assert "0.876" in text
    assert "unknown" not in text


@pytest.mark.parametrize(("metrics", "reason"), UNKNOWN)
def test_title_of_the_card_says_that_the_score_is_unknown(metrics: dict[str, Any], reason: str) -> None:
    version = Version(name="ner-v1", metrics=metrics)
    assert card_of(version, [], version, page="").title == "ner-v1 (F1 unknown)"


@pytest.mark.parametrize("command", ["status", "versions"])
@pytest.mark.parametrize(("metrics", "reason"), [*UNKNOWN, (KNOWN, None)])
def test_json_has_the_score_and_the_reason(
    command: str, metrics: dict[str, Any], reason: str | None, publish: Publish, run: Callable[..., str]
) -> None:
    publish(metrics=metrics)
    [row] = json.loads(run(command, "--json"))
    assert row["f1"] == row["score"]["f1"] == (None if reason else 0.8764)
    assert row["score"]["unknown"] == reason


@pytest.mark.parametrize(("metrics", "reason"), UNKNOWN)
def test_dashboard_draws_no_unknown_score(
    metrics: dict[str, Any], reason: str, publish: Publish, client: FlaskClient
) -> None:
    publish(metrics=metrics)
    answer = Lead(client).get().text
    assert 'class="dot"' not in answer
    assert f"No version has a known F1 yet: {reason}." in plain(answer)


def test_charts_leave_out_versions_with_an_unknown_score(publish: Publish, client: FlaskClient) -> None:
    publish("ner-v1", metrics=KNOWN)
    publish("ner-v2", metrics=UNKNOWN[2][0])
    answer = Lead(client).get().text
    assert "ner-v1: F1 0.876" in answer
    assert "ner-v2: F1" not in answer
    assert "F1 unknown only 2 held-out tasks, 28 more are needed" in plain(answer)


INTERVAL = {"Dish": {**DISH["Dish"], "interval": [0.7, 1.0]}}


@pytest.mark.parametrize(
    ("metrics", "labels", "shown"),
    [
        (UNKNOWN[2][0], INTERVAL, "Dish found 3 of 3"),
        (KNOWN, DISH, "Dish found 3 of 3"),
        (KNOWN, INTERVAL, "Dish 1.000"),
    ],
)
def test_labels_of_few_tasks_are_counted(
    metrics: dict[str, Any], labels: dict[str, Any], shown: str, publish: Publish, client: FlaskClient
) -> None:
    publish(metrics={**metrics, "per_label": labels})
    page = Lead(client).read()
    assert shown in page
    assert ("Dish 1.000" in page) is (shown == "Dish 1.000")


@pytest.mark.parametrize("documents", [2, 12])
@pytest.mark.parametrize("promote", [True, False])
@pytest.mark.parametrize("rule", ["no_current_version", "too_few_documents", "few_documents", "new_labels"])
def test_gate_gives_no_unknown_score(documents: int, promote: bool, rule: Any) -> None:
    decision = GateDecision(
        promote=promote,
        rule=rule,
        documents=documents,
        f1=1.0,
        current_f1=1.0,
        compared_with="ner-v1",
        tolerance=0.1,
        share_worse=1.0,
        share_better=0.0,
    )
    sentence = explain(decision)
    assert f"{documents} held-out tasks" in sentence
    assert "30 are needed" in sentence or "more are needed" in sentence
    assert not re.search(r"\d\.\d{3}", sentence)
