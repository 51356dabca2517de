"""Phrases in a real Label Studio: stored after the first label, rewritten, removed with the first version."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from backend.label_studio.connect import connect
from backend.store.phrases import PHRASES
from converters import regions
from label_config import LabelConfig
from tests import samples
from tests.label_studio.conftest import Connected
from tests.site import CONFIG, Site

pytestmark = pytest.mark.label_studio

TEXTS = ["pad thai here", "ramen and pad thai", "a bowl of ramen", "nothing"]


@pytest.fixture
def project(site: Site) -> Connected:
    remote = site.new_project("Phrases", labelled=[], unlabelled=TEXTS)
    connection = connect(site.settings, site.label_studio, remote.id, site.places.backend_url)
    return Connected(site, remote, connection.backend_id)


def annotate(project: Connected, task: int, text: str) -> None:
    """Submit an annotation, whose regions are marked inline."""
    document = samples.marked(text)
    result = regions(document.text, document.spans, LabelConfig.from_xml(CONFIG).texts[0])
    project.site.label_studio.annotate(task, result)


def suggested(project: Connected) -> dict[str, list[str]]:
    """The words of the stored regions of phrases, by the text of each unlabelled task."""
    words: dict[str, list[str]] = {}
    for task in project.unlabelled():
        stored = [row for row in project.predictions(task.id) if row["model_version"] == PHRASES]
        if len(stored) == 1:
            words[task.data["text"]] = [region["value"]["text"] for region in stored[0]["result"]]
    return words


def test_phrases_are_suggested_from_the_first_label_to_the_first_version(
    site: Site, project: Connected, version_folder: Path
) -> None:
    first, second, third, last = sorted(task.id for task in project.unlabelled())
    annotate(project, first, "[pad thai|Dish] here")
    expected: dict[str, Any] = {TEXTS[1]: ["pad thai"], TEXTS[2]: [], TEXTS[3]: []}
    site.wait("predictions of phrases", lambda: suggested(project) == expected)
    site.wait("that annotators see them", lambda: site.is_shown(project.remote, PHRASES))
    ids = {task: project.predictions(task)[0]["id"] for task in (third, last)}

    annotate(project, second, "[ramen|Dish] and [pad thai|Dish]")
    site.wait("the new phrase", lambda: suggested(project) == {TEXTS[2]: ["ramen"], TEXTS[3]: []})
    assert {task: project.predictions(task)[0]["id"] for task in (third, last)} == ids

    site.publish(project.remote, "ner-v1", version_folder)
    site.loop.promote(project.uid, "ner-v1", actor="test")
    project.wait_for_predictions("ner-v1")
    versions = "/api/projects/{}/model-versions/"
    site.wait(
        "the end of the phrases", lambda: PHRASES not in site.api("GET", versions.format(project.id)), seconds=120
    )
    stored = site.api("GET", f"/api/predictions/?project={project.id}")
    assert Counter(row["model_version"] for row in stored) == {"ner-v1": 2}
