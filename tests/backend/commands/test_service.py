from __future__ import annotations

import pytest

from tests.backend.commands.conftest import Command
from tests.backend.fakes import FakeLabelStudio


@pytest.mark.parametrize(
    ("threshold", "told"),
    [(3, "A model is trained after every 3 changed tasks."), (0, "Training starts only by hand.")],
)
def test_connect_tells_the_labels_and_the_threshold(
    threshold: int, told: str, command: Command, studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[str] = []
    monkeypatch.setattr(studio, "connect_backend", lambda project, url, **_: connected.append(url) or 1, raising=False)
    monkeypatch.setattr(studio, "authorise_webhook", lambda *_: None, raising=False)
    monkeypatch.setattr(studio, "switch_prelabelling_on", lambda *_: None, raising=False)
    result = command("connect", "--project", "7", START_TRAINING_EACH_N_UPDATES=str(threshold), PORT="9191")
    assert result.output == f"Project 7 “Restaurants” is connected; its labels: Dish, Cuisine, Location.\n{told}\n"
    assert connected == ["http://localhost:9191"]
