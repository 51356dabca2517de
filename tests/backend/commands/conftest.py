from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend import __main__ as module
from backend.settings import Settings
from backend.store import Store
from tests.backend.fakes import LABEL_CONFIG, UID, FakeLabelStudio

Command = Callable[..., Result]


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Run ``python -m backend`` with the test's settings in its environment."""
    monkeypatch.chdir(tmp_path)  # no .env of a developer

    def run(*words: str, **variables: str) -> Result:
        environment = {**settings.environment(), **variables}
        return CliRunner().invoke(module.cli, words, env=environment, prog_name="python -m backend")

    return run


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> FakeLabelStudio:
    studio = FakeLabelStudio()
    monkeypatch.setattr("backend.label_studio.client.open_label_studio", lambda settings, project=None: studio)
    return studio


@pytest.fixture
def registered(store: Store) -> str:
    """The uid of a registered project."""
    return store.projects.save(UID, title="Restaurants", label_config=LABEL_CONFIG).uid
