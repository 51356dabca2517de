"""`backend.model` in the two generations of label-studio-ml: 1.0.9 from PyPI, and a stand-in of 2.x."""

from __future__ import annotations

import importlib
import json
import logging
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.loop import Loop
from backend.registry import UNTRAINED
from backend.settings import Settings
from backend.store import Store
from backend.store.lease import Lease
from backend.store.models import Version
from backend.store.phrases import PHRASES
from converters.phrases import Phrase
from tests.backend import label_studio_ml_2
from tests.backend.conftest import ROOT
from tests.backend.fakes import LABEL_CONFIG, UID, event, saved

TEXT = "🍣🍕 Who makes the best sushi for kids?"
OTHER_CONFIG = LABEL_CONFIG.replace("$text", "$body")


def prediction_body(**fields: Any) -> dict[str, Any]:
    """What Label Studio sends to `/predict`."""
    task = {"id": 1, "data": {"text": TEXT}, "project": 7}
    params = {"login": None, "password": None, "context": None}
    return {"tasks": [task], "project": UID, "label_config": LABEL_CONFIG, "params": params, **fields}


# 2.x


@pytest.fixture
def model_2(monkeypatch: pytest.MonkeyPatch, loop: Loop) -> Iterator[ModuleType]:
    """`backend.model` with the stand-in of 2.x, and the test's loop below it."""
    for name, module in label_studio_ml_2.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules.pop("backend.model", None)
    model = importlib.import_module("backend.model")
    monkeypatch.setattr(model, "_open_loop", lambda: loop)
    yield model
    sys.modules.pop("backend.model", None)


@pytest.fixture
def server_2(model_2: ModuleType) -> FlaskClient:
    return label_studio_ml_2.init_app(model_2.DistilBERTNER).test_client()


@pytest.mark.usefixtures("fake_models")
def test_2_predicts_with_the_current_version(server_2: FlaskClient, publish: Callable[..., Version]) -> None:
    publish("ner-v1")
    (result,) = server_2.post("/predict", json=prediction_body()).get_json()["results"]
    (region,) = result["result"]
    assert (region["value"]["text"], region["value"]["labels"]) == ("sushi", ["Dish"])
    assert result["model_version"] == "ner-v1"
    assert 0 < result["score"] <= 1


@pytest.mark.parametrize("project", [UID, None, "99.5"])
def test_2_answers_empty_results_without_a_version(server_2: FlaskClient, project: str | None) -> None:
    body = prediction_body(project=project)
    body["tasks"][0]["project"] = None
    (result,) = server_2.post("/predict", json=body).get_json()["results"]
    assert (result["result"], result["model_version"], result["score"]) == ([], UNTRAINED, 0.0)


def test_2_setup_names_the_version_that_serves_now(server_2: FlaskClient, publish: Callable[..., Version]) -> None:
    body = {"project": UID, "schema": LABEL_CONFIG, "hostname": "", "access_token": ""}
    assert server_2.post("/setup", json=body).get_json() == {"model_version": UNTRAINED}
    publish("ner-v1")
    assert server_2.post("/setup", json=body).get_json() == {"model_version": "ner-v1"}


def test_2_setup_registers_no_project(server_2: FlaskClient, store: Store) -> None:
    server_2.post("/setup", json={"project": UID, "schema": LABEL_CONFIG})
    assert store.projects.all() == []


def test_2_counts_labels_and_registers_their_project(server_2: FlaskClient, store: Store) -> None:
    answer = server_2.post("/webhook", json=saved(1))
    assert (answer.status_code, answer.get_json()) == (201, {"result": {"status": "counted"}, "status": "ok"})
    assert store.changes.count(UID) == 1
    assert store.projects.get(UID).title == "Restaurants"


def test_2_start_training_queues_a_run(server_2: FlaskClient, loop: Loop) -> None:
    answer = server_2.post("/webhook", json=event("START_TRAINING")).get_json()
    assert [run.id for run in loop.runs(UID)] == [answer["result"]["job"]]


def test_2_model_keeps_the_methods_of_its_base(model_2: ModuleType) -> None:
    model = model_2.DistilBERTNER(project_id="7", label_config=LABEL_CONFIG)
    assert model.get_first_tag_occurence("Labels", "Text") == ("label", "text", "text")


@pytest.mark.parametrize("is_running", [False, True])
def test_log_says_when_no_worker_runs(
    model_2: ModuleType, loop: Loop, caplog: pytest.LogCaptureFixture, is_running: bool
) -> None:
    if is_running:
        assert Lease(loop.store.leases, "worker", "this").acquire()
    data = saved(1)
    with caplog.at_level(logging.WARNING, "backend.model"):
        model_2.DistilBERTNER(project_id="7", label_config=LABEL_CONFIG).fit(data.pop("action"), data)
    assert ("no worker is running" in caplog.text) is not is_running


def test_without_the_library_one_sentence_says_what_to_install() -> None:
    sys.modules.pop("backend.model", None)
    with pytest.raises(ImportError, match=r"pip install --no-deps -r requirements-label-studio-ml\.txt"):
        importlib.import_module("backend.model")


# 1.0.9

SCRIPT_1 = """
import json, sys, time
from label_studio_ml.api import init_app
from backend.model import DistilBERTNER

if __name__ == "__main__":
    client = init_app(DistilBERTNER, model_dir=sys.argv[1]).test_client()
    answers = []
    for path, body in json.load(sys.stdin):
        answer = client.post(path, json=body)
        answers.append([answer.status_code, answer.get_json(silent=True)])
    import multiprocessing
    for process in multiprocessing.active_children():
        process.join(60)
    print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def python_1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with 1.0.9 from PyPI beside the service's packages."""
    folder = tmp_path_factory.mktemp("label-studio-ml")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    lock = ROOT / "requirements-label-studio-ml.lock"
    install: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*install, "--require-hashes", "-r", lock], check=True, timeout=120)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "service.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return python


@pytest.fixture
def ask_1(
    python_1: Path, settings: Settings, child_environment: Callable[[Settings], dict[str, str]], tmp_path: Path
) -> Callable[..., list[list[Any]]]:
    """Send requests to a server of 1.0.9, and wait for the processes that it starts for events."""

    def ask(*requests: tuple[str, dict[str, Any]]) -> list[list[Any]]:
        script = tmp_path / "server.py"
        script.write_text(SCRIPT_1, encoding="utf-8")
        ended = subprocess.run(
            [python_1, script, tmp_path / "jobs"],
            input=json.dumps(requests), capture_output=True, text=True, timeout=120,
            env=os.environ | child_environment(settings), cwd=tmp_path,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        answers: list[list[Any]] = json.loads(ended.stdout.splitlines()[-1])
        return answers

    return ask


def setup_body(uid: str = UID, config: str = LABEL_CONFIG) -> dict[str, Any]:
    return {"project": uid, "schema": config, "hostname": "", "access_token": ""}


@pytest.mark.slow
def test_1_takes_events_and_predicts(ask_1: Callable[..., list[list[Any]]], loop: Loop) -> None:
    setup, predicted, *events = ask_1(
        ("/setup", setup_body()),
        ("/predict", prediction_body()),
        ("/webhook", saved(1)),
        ("/webhook", event("START_TRAINING")),
    )
    assert [status for status, _ in (setup, predicted, *events)] == [200, 200, 201, 201]
    (result,) = predicted[1]["results"]
    assert (result["result"], result["model_version"]) == ([], UNTRAINED)
    assert loop.store.changes.count(UID) == 1
    assert len(loop.runs(UID)) == 1


@pytest.mark.slow
def test_1_reads_each_project_with_its_own_configuration(ask_1: Callable[..., list[list[Any]]], loop: Loop) -> None:
    """1.0.9 keeps the model of the last `/setup` for all projects."""
    loop.register_project(UID, label_config=LABEL_CONFIG)
    loop.register_project("8.1795221979", label_config=OTHER_CONFIG)
    loop.store.phrases.save(UID, [Phrase("sushi", "Dish")], revision=1)
    _, predicted = ask_1(("/setup", setup_body("8.1795221979", OTHER_CONFIG)), ("/predict", prediction_body()))
    (result,) = predicted[1]["results"]
    (region,) = result["result"]
    assert (region["value"]["text"], region["value"]["labels"], result["model_version"]) == ("sushi", ["Dish"], PHRASES)
