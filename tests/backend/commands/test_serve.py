from __future__ import annotations

import pytest

from tests.backend.commands.conftest import Command
from tests.backend.fakes import FakeLabelStudio


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
    monkeypatch.setattr(studio, "authorise_webhook", lambda *_: None, raising=False)
    monkeypatch.setattr(studio, "switch_prelabelling_on", lambda *_: None, raising=False)
    result = command("connect", "--project", "7", START_TRAINING_EACH_N_UPDATES=str(threshold), PORT="9191")
    assert result.output == f"Project 7 “Restaurants” is connected; its labels: Dish, Cuisine, Location.\n{sentence}\n"
    assert connected == ["http://localhost:9191"]
