"""A project without a label gets predictions of an imported model from the first minute."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.__main__ import cli
from tests.backend.imported.conftest import SENTENCES
from tests.backend.imported.models import save_classifier
from tests.site import Site

pytestmark = pytest.mark.label_studio


def test_connect_brings_predictions_of_the_initial_model(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = save_classifier(tmp_path / "model", "WordPiece", SENTENCES)
    project = site.new_project("From the first minute", labelled=[], unlabelled=list(SENTENCES))
    words = ("connect", "--project", str(project.id), "--url", site.places.backend_url)
    environment = {**site.settings.environment(), "INITIAL_MODEL_NAME": str(model)}
    result = CliRunner().invoke(cli, words, env=environment, prog_name="python -m backend")
    assert result.exit_code == 0, result.output
    assert "ner-v1 serves now; its predictions are being sent to Label Studio." in result.stdout
    site.wait("predictions of ner-v1", lambda: site.is_shown(project, "ner-v1"))
    assert site.label_studio.count_predictions(project.id, "ner-v1") == (len(SENTENCES), len(SENTENCES))
