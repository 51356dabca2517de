"""Settings → Model → ••• → Start Training in Label Studio, and what the model's card shows then."""

from __future__ import annotations

from typing import Any

import pytest

from backend.label_studio.connect import connect
from backend.scores import Score
from backend.store.models import LIVE
from tests import samples
from tests.site import Site

pytestmark = pytest.mark.label_studio


def test_start_training_is_seen_on_the_model_card_from_its_beginning_to_its_score(site: Site) -> None:
    labelled = samples.documents()
    project = site.new_project("The card", labelled=labelled, unlabelled=["sushi near the station"])
    number = connect(site.settings, site.label_studio, project.id, site.places.backend_url).backend_id
    [ours] = site.label_studio.backends(project.id)
    site.label_studio.describe_backend(project.id, ours, title="Ann's model", description="Made by Ann.")

    def card() -> dict[str, Any]:
        backend: dict[str, Any] = site.api("GET", f"/api/ml/{number}")
        return backend

    site.wait("the card of a project without a model", lambda: card()["title"] == "Ann's model ▸ no model yet", 60)
    site.api("POST", f"/api/ml/{number}/train")  # the button
    run = site.loop.runs(project.uid)[0]
    running = site.wait("the run on the card", lambda: "train" in card()["title"] and card())
    assert running["description"].startswith("Made by Ann.\n\n▸ Written by the ML backend:\n")

    site.wait("the run's end", lambda: site.loop.run(run.id).state not in LIVE)
    assert site.loop.run(run.id).state == "finished", site.loop.run(run.id).error
    score = Score.from_metrics(site.loop.versions(project.uid)[0].metrics)
    done = site.wait("the version on the card", lambda: "ner-v1" in card()["title"] and card(), 60)
    assert done["title"] == f"Ann's model ▸ ner-v1 ({score.short})"
    assert f"ner-v1 serves: {score.sentence}." in done["description"]
    assert (done["state"], done["auth_method"], done["basic_auth_pass_is_set"]) == ("CO", "BASIC_AUTH", True)
    assert connect(site.settings, site.label_studio, project.id, site.places.backend_url).backend_id == number
    assert card()["title"] == done["title"]


def test_card_says_that_labels_are_missing(site: Site) -> None:
    project = site.new_project("Nothing labelled, nothing learned", labelled=[], unlabelled=["a", "b"])
    number = connect(site.settings, site.label_studio, project.id, site.places.backend_url).backend_id
    site.api("POST", f"/api/ml/{number}/train")
    described = site.wait(
        "the reason", lambda: "labelled" in (card := site.api("GET", f"/api/ml/{number}"))["title"] and card
    )
    assert described["title"] == "NER ▸ no model yet, too few labels: There are 0 labelled tasks"
    assert described["description"].endswith(f"The project's page: {site.places.backend_url}/projects/{project.uid}/")
    assert site.loop.runs(project.uid)[0].error in described["description"]


def test_writing_on_the_card_keeps_the_parameters(site: Site) -> None:
    project = site.new_project("Parameters", labelled=[], unlabelled=["a"])
    number = connect(site.settings, site.label_studio, project.id, site.places.backend_url).backend_id
    held = {
        "url": site.places.backend_url,
        "project": project.id,
        "auth_method": "BASIC_AUTH",
        "basic_auth_user": site.settings.basic_auth_user,
        "basic_auth_pass": "",
        "extra_params": {"epochs": 2},
    }
    site.api("PATCH", f"/api/ml/{number}", json=held)
    [ours] = site.label_studio.backends(project.id)
    assert ours.extra_params == {"epochs": 2}
    site.label_studio.describe_backend(project.id, ours, title="NER", description="Seen.")
    [after] = site.label_studio.backends(project.id)
    assert (after.extra_params, after.description, after.url) == ({"epochs": 2}, "Seen.", site.places.backend_url)
    assert site.loop.store.projects.get(project.uid).extra_params == {"epochs": 2}
