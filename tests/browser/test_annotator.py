"""What an annotator sees in Label Studio: the model's regions, a correction, the next task, the model version."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from backend.label_studio.api import RemoteProject
from backend.label_studio.connect import connect
from tests.browser import labelling
from tests.browser.labelling import PATIENCE, Shown
from tests.browser.sample_service import LABEL_CONFIG
from tests.site import Site

if TYPE_CHECKING:
    from backend.training.build import BuiltVersion

pytestmark = [pytest.mark.browser, pytest.mark.label_studio, pytest.mark.timeout(600)]

COLOURS = {"Dish": (255, 181, 62), "Cuisine": (122, 59, 143), "Location": (0, 139, 139)}
HOTKEYS = {"Dish": "1", "Cuisine": "2", "Location": "3"}

TEXTS = (
    "Where can I get good pad thai downtown?",
    "🍣🍕 is there a Thai restaurant near Harvard Square",
    "We ordered the lobster roll and the falafel.",
    "who knows, some quux that frobs the tacos near nowhere in England",
    "find me some Indian food",
)


@dataclass(frozen=True)
class Served:
    """A project whose tasks have the predictions of a version."""

    site: Site
    project: RemoteProject
    publish: Callable[[str], None]

    def tasks(self) -> list[int]:
        return [task.id for task in self.site.label_studio.unlabelled_tasks(self.project.id)]

    def prediction(self, task: int, version: str = "ner-v1") -> dict[str, Any]:
        predictions = self.site.api("GET", f"/api/predictions/?task={task}")
        [prediction] = [row for row in predictions if row["model_version"] == version]
        return dict(prediction)


@pytest.fixture
def serve(site: Site, built: BuiltVersion) -> Callable[[str], Served]:
    """Make a project of `TEXTS`, connect it, and have it served by a real model."""

    def serve(title: str) -> Served:
        project = site.new_project(title, labelled=[], unlabelled=list(TEXTS), label_config=LABEL_CONFIG)
        connect(site.settings, site.label_studio, project.id, site.places.backend_url, by_uncertainty=False)

        def publish(version: str) -> None:
            staged = site.settings.model_dir / f"staged-{project.id}"
            shutil.copytree(built.folder, staged)
            metrics = built.metrics.to_dict() if built.metrics else {}
            site.loop.registry.publish(
                project.uid, version, staged, run="0123456789ab", labels=built.labels, metrics=metrics
            )
            site.loop.promote(project.uid, version, actor="dashboard")
            site.wait(f"predictions of {version}", lambda: site.is_shown(project, version))

        publish("ner-v1")
        return Served(site, project, publish)

    return serve


def expected(prediction: dict[str, Any]) -> list[Shown]:
    values = sorted((region["value"] for region in prediction["result"]), key=lambda value: value["start"])
    return [Shown(value["text"], value["labels"][0], COLOURS[value["labels"][0]]) for value in values]


def test_each_task_comes_with_the_models_regions_in_the_projects_colours(
    label_studio_page: Page, serve: Callable[[str], Served]
) -> None:
    served = serve("Pre-labels")
    labels = set()
    task = labelling.label_all_tasks(label_studio_page, served.project.id)
    for text in TEXTS[:3]:
        expect(label_studio_page.locator(".lsf-richtext__container")).to_have_text(text, timeout=PATIENCE)
        predicted = expected(served.prediction(task))
        assert labelling.regions(label_studio_page, number=len(predicted)) == predicted
        assert all(region.text in text for region in predicted)
        labels |= {region.label for region in predicted}
        if text != TEXTS[2]:
            task = labelling.submit(label_studio_page)
    assert labels == set(COLOURS)


def test_a_corrected_region_is_stored_and_counted_and_the_next_task_comes(
    label_studio_page: Page, serve: Callable[[str], Served]
) -> None:
    served = serve("Correction")
    site, uid = served.site, served.project.uid
    first, second = served.tasks()[:2]
    assert labelling.label_all_tasks(label_studio_page, served.project.id) == first
    wrong, *others = expected(served.prediction(first))
    right = next(label for label in COLOURS if label != wrong.label)

    labelling.region(label_studio_page, wrong.text).click()
    label_studio_page.keyboard.press(HOTKEYS[right])
    expect(labelling.region(label_studio_page, wrong.text)).to_have_attribute("data-label", f"1:{right}")
    corrected = Shown(wrong.text, right, COLOURS[right])
    assert labelling.regions(label_studio_page, number=1 + len(others)) == [corrected, *others]
    assert site.loop.store.changes.count(uid) == 0

    assert labelling.submit(label_studio_page) == second
    [annotation] = site.api("GET", f"/api/tasks/{first}/annotations/")
    assert expected(annotation) == [corrected, *others]
    site.wait("the label in the backend", lambda: site.loop.store.changes.count(uid) == 1, seconds=30)


def test_a_region_that_is_none_is_deleted(label_studio_page: Page, serve: Callable[[str], Served]) -> None:
    served = serve("Deletion")
    task = labelling.label_all_tasks(label_studio_page, served.project.id)
    spurious, *others = expected(served.prediction(task))
    labelling.region(label_studio_page, spurious.text).click()
    label_studio_page.keyboard.press("Backspace")
    assert labelling.regions(label_studio_page, number=len(others)) == others
    labelling.submit(label_studio_page)
    [annotation] = served.site.api("GET", f"/api/tasks/{task}/annotations/")
    assert expected(annotation) == others


def test_with_uncertainty_sampling_the_least_certain_task_comes_next(
    label_studio_page: Page, serve: Callable[[str], Served]
) -> None:
    served = serve("Uncertainty")
    served.site.api("PATCH", f"/api/projects/{served.project.id}", json={"sampling": "Uncertainty sampling"})
    scores = {task: served.prediction(task)["score"] for task in served.tasks()}
    ranked = sorted(scores, key=lambda task: float(scores[task]))
    assert len(set(scores.values())) == len(scores)
    assert ranked != sorted(ranked)

    order = [labelling.label_all_tasks(label_studio_page, served.project.id)]
    while len(order) < 3:
        order.append(labelling.submit(label_studio_page))
    assert order == ranked[:3]


def test_the_name_beside_a_prediction_tells_which_version_made_it(
    label_studio_page: Page, serve: Callable[[str], Served]
) -> None:
    served = serve("Versions")
    served.site.loop.pin(served.project.uid, "ner-v1", True)
    served.publish("ner-v2")
    task = served.tasks()[0]
    labelling.open_task(label_studio_page, served.project.id, task)
    tabs = labelling.predictions_beside(label_studio_page)
    expect(tabs).to_have_count(2, timeout=PATIENCE)
    for version in ("ner-v1", "ner-v2"):
        score = served.prediction(task, version)["score"]
        expect(tabs.filter(has_text=version)).to_contain_text(f"{score * 100:.2f}%")
