from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.store import Store
from backend.store.models import Version
from converters.phrases import Phrase
from tests.backend.commands.conftest import Command
from tests.backend.fakes import UID, FakeLabelStudio

OTHER = "http://huggingface:9091"


@pytest.mark.parametrize(
    ("threshold", "sentence"),
    [
        (3, "A model is trained after every 3 changed tasks."),
        (0, "Training starts only when somebody asks for it (START_TRAINING_EACH_N_UPDATES=0)."),
    ],
)
def test_connect_prints_the_labels_and_the_threshold(
    threshold: int, sentence: str, command: Command, studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[str] = []

    def connect_backend(project_id: int, url: str, *, title: str, auth: tuple[str, str] | None) -> int:
        connected.append(url)
        return 1

    monkeypatch.setattr(studio, "connect_backend", connect_backend)
    result = command("connect", "--project", "7", START_TRAINING_EACH_N_UPDATES=str(threshold), PORT="9191")
    assert result.output == (
        f"Project 7 “Restaurants” is connected; its labels: Dish, Cuisine, Location.\n{sentence}\n"
        "Uncertainty sampling is switched on: annotators get the task that the model is least sure of first. "
        "To go back, choose another Task Sampling in http://localhost:8080/projects/7/settings; `connect --keep-order` "
        "leaves it as it is.\n"
        "Check everything: python -m backend check --project 7\n"
    )
    assert connected == ["http://localhost:9191"]


@pytest.mark.parametrize(
    ("model_version", "shown"),
    [
        ("Old \x1b[31m", "annotators see its predictions until this service has a model, since"),
        ("ner-v1", "annotators see its predictions when the project's model version is its title"),
    ],
)
def test_connect_names_another_ml_backend_and_how_to_remove_it(
    model_version: str, shown: str, command: Command, studio: FakeLabelStudio
) -> None:
    studio.shown = model_version
    studio.connect_backend(7, OTHER, title="Old \x1b[31m", auth=None)
    result = command("connect", "--project", "7", LABEL_STUDIO_PUBLIC_URL="https://labels.example")
    assert result.exit_code == 0
    line = result.stdout.splitlines()[-2]
    assert line.startswith(
        f"Another ML backend is connected to this project: “Old \ufffd[31m”, {OTHER}, id 1. While it stays,"
    )
    assert shown in line
    assert (
        "To remove it: https://labels.example/projects/7/settings/ml, menu “•••” of “Old \ufffd[31m”, Delete." in line
    )
    assert [backend.url for backend in studio.ml_backends] == [OTHER, "http://localhost:9090"]


def test_connect_names_no_other_ml_backend_where_there_is_none(command: Command, studio: FakeLabelStudio) -> None:
    for _ in range(2):
        assert "Another" not in command("connect", "--project", "7").output


@pytest.mark.parametrize("version", ["1.10.1", "1.11.0"])
def test_connect_refuses_basic_auth_that_label_studio_cannot_send(
    version: str, command: Command, studio: FakeLabelStudio
) -> None:
    studio.version = version
    result = command("connect", "--project", "7", BASIC_AUTH_USER="u", BASIC_AUTH_PASS="p")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: Label Studio {version} sends no user name and password to ML backends")
    assert "update Label Studio, or unset BASIC_AUTH_USER and BASIC_AUTH_PASS here." in result.stderr
    assert studio.ml_backends == []
    assert command("connect", "--project", "7").exit_code == 0


@pytest.mark.parametrize(("version", "says"), [("1.10.1", True), ("1.11.0", True), ("1.12.0", False), ("", False)])
def test_connect_says_what_an_old_label_studio_cannot_do(
    version: str, says: bool, command: Command, studio: FakeLabelStudio
) -> None:
    studio.version = version
    output = command("connect", "--project", "7").output
    assert (f"Label Studio {version} cannot delete the predictions of one version" in output) == says


def test_connect_keeps_the_order_of_tasks_on_request(command: Command, studio: FakeLabelStudio) -> None:
    assert "Uncertainty sampling" not in command("connect", "--project", "7", "--keep-order").output
    assert not studio.by_uncertainty
    assert "Uncertainty sampling is switched on" in command("connect", "--project", "7").output
    assert studio.by_uncertainty
    assert "Uncertainty sampling" not in command("connect", "--project", "7").output


def test_phrases_of_a_file_are_given_to_the_project(
    command: Command, studio: FakeLabelStudio, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "phrases.tsv").write_text("pad thai\tDish\nTurkey\tDish\nturkey\tLocation\nBoston\tLocation\n")
    result = command("connect", "--project", "7", "--phrases", "phrases.tsv")
    assert result.exit_code == 0, result.output
    assert (
        "2 phrases of the file will be suggested until the first version serves. "
        "1 phrase with several labels left out: turkey.\n"
    ) in result.stdout
    assert store.phrases.given(UID) == [Phrase("pad thai", "Dish"), Phrase("Boston", "Location")]
    assert store.syncs.pending(UID) == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("pad thai\tFood\n", "Line 1 of phrases.tsv has the label 'Food', which the configuration does not have: "),
        (None, "phrases.tsv: No such file or directory"),
    ],
)
def test_file_of_phrases_that_cannot_be_read_connects_nothing(
    content: str | None, sentence: str, command: Command, studio: FakeLabelStudio, tmp_path: Path
) -> None:
    if content:
        (tmp_path / "phrases.tsv").write_text(content)
    result = command("connect", "--project", "7", "--phrases", "phrases.tsv")
    assert result.exit_code == 1
    assert f"Error: {sentence}" in result.stderr
    assert studio.ml_backends == []


def test_phrases_given_to_a_project_with_a_version_have_no_effect(
    command: Command, studio: FakeLabelStudio, publish: Callable[..., Version], tmp_path: Path
) -> None:
    publish("ner-v3")
    (tmp_path / "phrases.tsv").write_text("pad thai\tDish\n")
    result = command("connect", "--project", "7", "--phrases", "phrases.tsv")
    assert "The phrases of the file are not suggested, because ner-v3 serves.\n" in result.stdout
