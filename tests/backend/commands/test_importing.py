"""``import-model``, and ``connect`` with INITIAL_MODEL_NAME: what they print, and what they leave alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backend.store import Store
from tests.backend.commands.conftest import Command
from tests.backend.fakes import LABEL_CONFIG, UID, FakeLabelStudio
from tests.backend.imported.conftest import SENTENCES
from tests.backend.imported.models import save_classifier


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_classifier(tmp_path_factory.mktemp("imported") / "model", "WordPiece", SENTENCES)


@pytest.fixture
def project(store: Store, studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch) -> FakeLabelStudio:
    """Project 7, registered, with three tasks without labels."""
    monkeypatch.setattr("backend.worker.open_label_studio", lambda settings, project=None: studio)
    store.projects.save(UID, title="Restaurants", label_config=LABEL_CONFIG)
    return studio


def test_model_is_imported_and_serves(command: Command, project: FakeLabelStudio, model: Path, store: Store) -> None:
    result = command("import-model", "--project", "7", str(model), "--map", "PER=Dish")
    assert result.exit_code == 0, result.output
    first, left_out, score, serves = result.stdout.splitlines()
    assert first == "ner-v1 is made of the model: PER is Dish, LOC is Location."
    assert left_out.startswith("Left out, since the project has no label for them: MISC.")
    assert score == "F1 unknown: no task is held out yet, 30 are needed."
    assert serves == "ner-v1 serves now; its predictions are being sent to Label Studio."
    assert store.projects.current_version(UID) == "ner-v1"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--map", "PER"), "--map PER is not TYPE=LABEL: give for example --map PER=Person."),
        (("--map", "ORG=Dish"), "The model has no type of entity 'ORG': its types are PER, LOC, MISC."),
        (("--map", "PER=Person"), "The project has no label 'Person' for PER: its labels are Dish, Cuisine, Location."),
    ],
)
def test_unusable_mapping_is_one_sentence(
    words: tuple[str, ...], sentence: str, command: Command, project: FakeLabelStudio, model: Path, store: Store
) -> None:
    result = command("import-model", "--project", "7", str(model), *words)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == f"Error: {sentence}"
    assert store.versions.of(UID) == []


def test_initial_model_that_fails_leaves_the_project_connected(
    command: Command, project: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: dict[str, Any] = {}
    from backend.label_studio import connect as module

    def connect(settings: object, studio: FakeLabelStudio, number: int, url: str, **_: object) -> module.Connection:
        connected["url"] = url
        return module.Connection(studio.project(number), ("Dish",), 1)

    monkeypatch.setattr(module, "connect", connect)
    result = command("connect", "--project", "7", INITIAL_MODEL_NAME="/nowhere/model")
    assert result.exit_code == 0, result.output
    assert "INITIAL_MODEL_NAME is not imported: There is no folder /nowhere/model" in result.stderr
    assert "is connected" in result.stdout
    assert connected
