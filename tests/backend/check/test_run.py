"""Each fault that keeps labels, training or predictions from working is planted, and `run_checks` names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from backend.check import machine
from backend.check.result import Result
from backend.check.run import run_checks
from backend.errors import LabelStudioRefused, LabelStudioRejected, ServiceUnreachable
from backend.inference.tagger import Tagger
from backend.label_studio.api import RemoteBackend
from backend.label_studio.connect import connect
from backend.registry import UNTRAINED
from backend.settings import Settings
from backend.store import Store
from backend.store.models import Project, Version
from backend.store.phrases import PHRASES
from backend.training.base_model import embedded
from converters.phrases import Phrase
from tests.backend.fakes import LABEL_CONFIG, UID, FakeLabelStudio

URL = "http://localhost:9090"
LOAD = Tagger.load
HUB_MODEL = "distilbert/distilbert-base-uncased"


@dataclass
class Deployment:
    """A service that works, with one connected project, until a fault is planted.

    ``values`` are settings; ``answers`` what an address answers, or the error of the connection.
    """

    values: dict[str, Any]
    studio: FakeLabelStudio
    store: Store
    folder: Path
    answers: dict[str, httpx.Response | Exception]

    def change_backend(self, **fields: Any) -> None:
        self.studio.ml_backends = [replace(backend, **fields) for backend in self.studio.ml_backends]

    def change_hook(self, **fields: Any) -> None:
        self.studio.hooks = [replace(hook, **fields) for hook in self.studio.hooks]


@pytest.fixture
def deployment(
    make_settings: Callable[..., Settings],
    store: Store,
    publish: Callable[..., Version],
    fake_models: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Deployment:
    publish()
    values = {
        "label_studio_api_key": "s3cret",
        "basic_auth_user": "u",
        "basic_auth_pass": "p",
        "baseline_model_name": "embedded",
        "model_dir": tmp_path / "models",
    }
    studio = FakeLabelStudio()
    connect(make_settings(**values), studio, 7, URL)
    studio.shown = "ner-v1"
    store.leases.acquire("worker", "a", "a")
    answers: dict[str, httpx.Response | Exception] = {
        "http://localhost:8080/api/version": httpx.Response(200, json={"release": "1.23.2"}),
        "http://localhost:9090/health": httpx.Response(200, json={"status": "UP", "model_class": "NER"}),
    }

    def get(url: str, **_: Any) -> httpx.Response:
        answer = answers.get(url, httpx.ConnectError("[Errno 111] Connection refused"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("httpx.get", get)
    deployment = Deployment(values, studio, store, tmp_path, answers)
    deployment.change_backend(model_version="ner-v1")
    return deployment


def results(
    deployment: Deployment, make_settings: Callable[..., Settings], number: int | None = 7
) -> dict[str, Result]:
    def open_label_studio(settings: Settings, project: Project | None) -> FakeLabelStudio:
        if settings.label_studio_api_key is None and project is None:
            raise LabelStudioRefused("No access token for Label Studio: set LABEL_STUDIO_API_KEY.")
        return deployment.studio

    checks = run_checks(make_settings(**deployment.values), number, open_label_studio)
    return {result.item: result for result in checks}


def other_backend(deployment: Deployment, *, shown: bool) -> None:
    deployment.studio.ml_backends.append(RemoteBackend(9, "http://bert:9091", "Old", "", "v3", "NONE", "", None))
    if shown:
        deployment.studio.shown = "Old"


def test_service_that_works_has_no_fault(deployment: Deployment, make_settings: Callable[..., Settings]) -> None:
    outcomes = results(deployment, make_settings)
    assert {item: result.outcome.text for item, result in outcomes.items() if result.outcome.state != "ok"} == {}
    assert list(outcomes) == [
        "settings", "model folder", "base model", "database", "worker", "Label Studio", "access token",
        "labelling configuration", "ML backend", "webhook", "other ML backends", "model version", "predictions shown",
        "task order", "Auto-Annotation",
    ]  # fmt: skip


def test_phrases_serve_until_there_is_a_version(
    deployment: Deployment, make_settings: Callable[..., Settings], store: Store
) -> None:
    with store._database.write() as session:
        session.get_one(Project, UID).current_version = None
    deployment.change_backend(model_version=UNTRAINED)
    before = results(deployment, make_settings)
    store.phrases.save(UID, [Phrase("sushi", "Dish")], revision=1)
    deployment.change_backend(model_version=PHRASES)
    after = results(deployment, make_settings)
    assert before["predictions shown"].outcome.text == "none yet: there is no version"
    assert after["predictions shown"].outcome.text == "of phrases, until a version serves"
    assert before["ML backend"].outcome.state == after["ML backend"].outcome.state == "ok"


def refuse(method: str, error: Exception) -> Callable[[Deployment], None]:
    def plant(deployment: Deployment) -> None:
        deployment.studio.refused[method] = error  # type: ignore[assignment]

    return plant


def unreachable_service(error: Exception) -> Callable[[Deployment], None]:
    def plant(deployment: Deployment) -> None:
        deployment.change_backend(answers=False)
        refuse("test_backend", error)(deployment)

    return plant


def let(**values: Any) -> Callable[[Deployment], None]:
    return lambda deployment: deployment.values.update(values)


def answer(url: str, response: httpx.Response | Exception) -> Callable[[Deployment], None]:
    return lambda deployment: deployment.answers.update({url: response})


def file_for_a_folder(deployment: Deployment) -> None:
    file = deployment.folder / "file"
    file.touch()
    deployment.values["model_dir"] = file


NOT_FOUND = httpx.Response(404, json={"error": "not found"})
STUDIO = "http://localhost:8080/api/version"

FAULTS: dict[str, tuple[Callable[[Deployment], Any], str, str]] = {
    "no worker": (
        lambda deployment: deployment.store.leases.release("worker", "a", "a"),
        "worker",
        "No worker is running, so nothing is trained and no predictions are sent: start `python -m backend work`",
    ),
    "database URL unusable": (let(database_url="nonsense"), "database", "DATABASE_URL is not usable ("),
    "model folder is a file": (
        file_for_a_folder,
        "model folder",
        "give the user of this service the right to write there, or set MODEL_DIR to another folder.",
    ),
    "base model is a folder without a model": (
        lambda deployment: let(baseline_model_name=str(deployment.folder))(deployment),
        "base model",
        "is a folder without a model (it has no config.json): set BASELINE_MODEL_NAME",
    ),
    "Label Studio is away": (
        answer(STUDIO, httpx.ConnectError("[Errno 111] Connection refused")),
        "Label Studio",
        "Label Studio at http://localhost:8080 does not answer ([Errno 111] Connection refused): check that it runs",
    ),
    "LABEL_STUDIO_URL is another server": (
        answer(STUDIO, NOT_FOUND),
        "Label Studio",
        "What answers at http://localhost:8080 is not Label Studio (status 404 for /api/version): set LABEL_STUDIO_URL",
    ),
    "no token": (let(label_studio_api_key=None), "access token", "set LABEL_STUDIO_API_KEY."),
    "a proxy protects Label Studio": (
        answer(STUDIO, httpx.Response(403, json={"detail": "You do not have permission."})),
        "Label Studio",
        "refuses /api/version (status 403), which Label Studio shows to everybody: set LABEL_STUDIO_URL",
    ),
    "token refused": (
        refuse("user", LabelStudioRefused("Label Studio refuses the access token: set LABEL_STUDIO_API_KEY.")),
        "access token",
        "refuses the access token",
    ),
    "no rights in the project": (
        refuse("project", LabelStudioRejected("Label Studio has no project 7, or its owner may not see it.")),
        "labelling configuration",
        "no project 7",
    ),
    "labels that cannot be learned": (
        lambda deployment: setattr(deployment.studio, "label_config", "<View><Text name='t' value='$t'/></View>"),
        "labelling configuration",
        "Labels",
    ),
    "not connected": (
        lambda deployment: deployment.studio.ml_backends.clear(),
        "ML backend",
        "This service is not an ML backend of project 7 in Label Studio: run `python -m backend connect --project 7`.",
    ),
    "serve does not run": (
        unreachable_service(ServiceUnreachable("Label Studio cannot reach this service at http://localhost:9090.")),
        "ML backend",
        "Label Studio cannot reach this service",
    ),
    "another service answers": (
        lambda deployment: deployment.change_backend(title="NER", model_version="ner-v9"),
        "ML backend",
        "serves ner-v9, but ner-v1 serves by the database of this command: give both the same DATABASE_URL",
    ),
    "project replaced": (
        lambda deployment: setattr(deployment.studio, "uid", "7.1800000000"),
        "ML backend",
        "is not the one this model was trained for",
    ),
    "webhook missing": (
        lambda deployment: deployment.studio.hooks.clear(),
        "webhook",
        "Label Studio has no webhook to http://localhost:9090/webhook, so new labels arrive late: run "
        "`python -m backend connect --project 7 --url http://localhost:9090`.",
    ),
    "webhook switched off": (lambda deployment: deployment.change_hook(is_active=False), "webhook", "is switched off"),
    "webhook without all events": (
        lambda deployment: deployment.change_hook(sends_all=False),
        "webhook",
        "does not send all events",
    ),
    "webhook without header": (
        lambda deployment: deployment.change_hook(header=None),
        "webhook",
        "sends no user name and password, so this service refuses new labels",
    ),
    "webhook with a wrong header": (
        lambda deployment: deployment.change_hook(header="Basic b2xk"),
        "webhook",
        "sends another user name or password than BASIC_AUTH_USER and BASIC_AUTH_PASS",
    ),
    "webhook to a blocked address": (
        refuse("save_webhook", LabelStudioRefused("Label Studio does not call local addresses.")),
        "webhook",
        "does not call local addresses",
    ),
    "another ML backend is shown": (
        lambda deployment: other_backend(deployment, shown=True),
        "other ML backends",
        "Annotators see the predictions of the ML backend “Old” (http://bert:9091, id 9), not those of this service",
    ),
    "predictions of an earlier version are shown": (
        lambda deployment: setattr(deployment.studio, "shown", "ner-v0"),
        "predictions shown",
        "Annotators see the predictions of “ner-v0”, not yet those of ner-v1: wait for the worker, or run",
    ),
    "pre-labels off": (
        lambda deployment: setattr(deployment.studio, "prelabelling", False),
        "predictions shown",
        "Annotators do not see predictions: switch “Use predictions to prelabel tasks” on",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_the_only_one_that_is_named(
    name: str, deployment: Deployment, make_settings: Callable[..., Settings]
) -> None:
    plant, item, sentence = FAULTS[name]
    plant(deployment)
    faults = {
        item: result.outcome.text
        for item, result in results(deployment, make_settings).items()
        if result.outcome.state == "fault"
    }
    assert list(faults) == [item]
    assert sentence in faults[item]


@pytest.mark.parametrize(
    ("plant", "item", "sentence"),
    [
        (
            lambda deployment: setattr(deployment.studio, "by_uncertainty", False),
            "task order",
            "to switch Uncertainty sampling on, run `python -m backend connect --project 7 --url http://localhost:9090`.",
        ),
        (
            lambda deployment: deployment.change_backend(is_interactive=False),
            "Auto-Annotation",
            "Auto-Annotation gets no suggestions",
        ),
        (
            lambda deployment: other_backend(deployment, shown=False),
            "other ML backends",
            "Label Studio also asks the ML backend “Old” (http://bert:9091, id 9) for predictions",
        ),
        (
            let(basic_auth_user=None, basic_auth_pass=None),
            "settings",
            "Everybody who can reach port 9090 of this machine can use the service",
        ),
        (
            let(label_studio_host="http://ls:8080"),
            "settings",
            "LABEL_STUDIO_HOST is set, but this service reads LABEL_STUDIO_URL, which is not set",
        ),
    ],
)
def test_what_may_be_intended_is_a_note(
    plant: Callable[[Deployment], Any],
    item: str,
    sentence: str,
    deployment: Deployment,
    make_settings: Callable[..., Settings],
) -> None:
    plant(deployment)
    outcomes = {name: result.outcome for name, result in results(deployment, make_settings).items()}
    assert [name for name, outcome in outcomes.items() if outcome.state != "ok"] == [item]
    assert outcomes[item].state == "note"
    assert sentence in outcomes[item].text


def test_version_whose_files_are_missing_is_a_fault(
    deployment: Deployment, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.registry.Tagger.load", LOAD)
    outcome = results(deployment, make_settings)["model version"].outcome
    assert outcome.state == "fault"
    assert "ner-v1" in outcome.text


def test_database_of_a_newer_release_is_a_fault(deployment: Deployment, make_settings: Callable[..., Settings]) -> None:
    with deployment.store._database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    outcomes = results(deployment, make_settings)
    assert outcomes["database"].outcome.state == "fault"
    assert "worker" not in outcomes


def test_database_that_cannot_be_written_is_a_fault(
    deployment: Deployment, make_settings: Callable[..., Settings]
) -> None:
    with deployment.store._database.write() as session:
        session.execute(text("CREATE TRIGGER full BEFORE INSERT ON leases BEGIN SELECT RAISE(ABORT, 'disk full'); END"))
    outcome = results(deployment, make_settings)["database"].outcome
    assert outcome.state == "fault"
    assert "disk full" in outcome.text


def test_disk_that_is_nearly_full_is_a_fault(
    deployment: Deployment, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "MIN_FREE_BYTES", 10**18)
    outcome = results(deployment, make_settings)["model folder"].outcome
    assert outcome.state == "fault"
    assert "is nearly full (" in outcome.text
    assert "free some space there, or lower KEEP_VERSIONS=10." in outcome.text


def test_hub_that_cannot_be_reached_is_a_fault(
    deployment: Deployment, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)

    def model_info(*_: Any, **__: Any) -> None:
        raise RuntimeError("[Errno -3] Temporary failure in name resolution")  # of the hub's own HTTP library

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    deployment.values["baseline_model_name"] = HUB_MODEL
    outcome = results(deployment, make_settings)["base model"].outcome
    assert outcome.state == "fault"
    assert outcome.text.startswith(f"BASELINE_MODEL_NAME={HUB_MODEL} cannot be downloaded from https://")
    assert "the hub does not answer: [Errno -3] Temporary failure in name resolution" in outcome.text
    assert "or to `embedded`" in outcome.text


def test_model_that_is_downloaded_needs_no_hub(
    deployment: Deployment, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: "/cache/config.json")
    deployment.values["baseline_model_name"] = HUB_MODEL
    assert results(deployment, make_settings)["base model"].outcome.state == "ok"


def test_package_of_the_embedded_model_is_the_one_that_training_loads() -> None:
    assert embedded.PACKAGE == machine.EMBEDDED_PACKAGE


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (httpx.ConnectError("refused"), "The web server does not answer at http://localhost:9090/health: start"),
        (NOT_FOUND, "Another program answers at http://localhost:9090/health: end it, or set PORT"),
        (httpx.Response(200, json=[]), "Another program answers at http://localhost:9090/health: end it, or set PORT"),
    ],
)
def test_web_server_is_checked_from_here_before_a_project_is_connected(
    answer: httpx.Response | Exception, sentence: str, deployment: Deployment, make_settings: Callable[..., Settings]
) -> None:
    assert results(deployment, make_settings, 8)["web server"].outcome.state == "ok"
    deployment.answers["http://localhost:9090/health"] = answer
    assert results(deployment, make_settings, 8)["web server"].outcome.text.startswith(sentence)
    assert "web server" not in results(deployment, make_settings, 7)


def test_missing_token_is_named_also_while_label_studio_is_away(
    deployment: Deployment, make_settings: Callable[..., Settings]
) -> None:
    deployment.answers[STUDIO] = httpx.ConnectError("refused")
    assert "access token" not in results(deployment, make_settings)
    deployment.values["label_studio_api_key"] = None
    assert results(deployment, make_settings)["access token"].outcome.text.startswith(
        "No access token for Label Studio"
    )


def test_token_that_label_studio_sent_is_used_where_none_is_configured(
    deployment: Deployment, make_settings: Callable[..., Settings]
) -> None:
    deployment.values["label_studio_api_key"] = None
    deployment.store.projects.save(UID, title="Restaurants", label_config=LABEL_CONFIG, access_token="s3cret")
    outcome = results(deployment, make_settings)["access token"].outcome
    assert outcome.state == "note"
    assert outcome.text.startswith("LABEL_STUDIO_API_KEY is not set, so the legacy token of lead@example.com is used")


def test_all_connected_projects_are_checked_unless_one_is_named(
    deployment: Deployment, make_settings: Callable[..., Settings]
) -> None:
    assert results(deployment, make_settings, None)["ML backend"].project == 7
