from __future__ import annotations

from typing import Any

import pytest

from backend.errors import LabelStudioUnreachable, ProjectReplaced
from backend.label_studio.reconcile import lost_changes
from backend.store import Store
from backend.training.snapshot import Snapshot, take_snapshot
from converters import TextNotLoaded
from label_config import UnsupportedLabelConfig
from tests.backend.fakes import LABEL_CONFIG, LABELS, UID, FakeLabelStudio


@pytest.fixture
def studio(store: Store) -> FakeLabelStudio:
    """Twelve tasks, five of them labelled."""
    store.projects.save(UID)
    studio = FakeLabelStudio(tasks=12)
    studio.annotate(*range(1, 6))
    return studio


def taken(store: Store, studio: FakeLabelStudio, **options: Any) -> Snapshot:
    return take_snapshot(store, UID, studio, **({"replace_annotations": True} | options))


def test_snapshot_has_every_labelled_task_and_the_revision_before_it(
    store: Store, studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.changes.record(UID, ["1", "2"])
    revision = store.projects.get(UID).revision
    labelled_tasks = studio.labelled_tasks

    def label_another(project_id: int) -> list[dict[str, Any]]:
        store.changes.record(UID, ["6"])
        return labelled_tasks(project_id)

    monkeypatch.setattr(studio, "labelled_tasks", label_another)
    snapshot = taken(store, studio)
    assert [document.id for document in snapshot.documents] == ["1", "2", "3", "4", "5"]
    assert snapshot.config.labels == LABELS
    assert snapshot.revision == revision < store.projects.get(UID).revision
    assert (snapshot.report.tasks, snapshot.report.spans) == (5, 5)


def test_texts_at_addresses_are_loaded(store: Store, studio: FakeLabelStudio) -> None:
    def load(url: str) -> str:
        if url.endswith("1"):
            raise TextNotLoaded("The text is too large.")
        return url.removeprefix("/data/")

    studio.label_config = LABEL_CONFIG.replace("<Text ", '<Text valueType="url" ')
    studio.texts = {task: f"/data/{text}" for task, text in studio.texts.items()}
    tasks = [studio_task(task, number) for number, task in enumerate(studio.labelled_tasks(7), start=1)]
    studio.labelled_tasks = lambda project_id: tasks  # type: ignore[method-assign]
    snapshot = taken(store, studio, open_loader=lambda config: load if config.texts[0].is_url else None)
    assert [document.text for document in snapshot.documents] == [f"sushi number {number}" for number in range(2, 6)]
    assert (snapshot.report.tasks, snapshot.report.used) == (5, 4)


def studio_task(task: dict[str, Any], number: int) -> dict[str, Any]:
    """The task with the first word of its loaded text marked."""
    value = {"start": 0, "end": 5, "text": "sushi", "labels": ["Dish"]}
    result = {"from_name": "label", "to_name": "text", "type": "labels", "value": value}
    return {**task, "annotations": [{"id": number, "result": [result]}]}


def test_title_and_labelling_configuration_are_saved(store: Store, studio: FakeLabelStudio) -> None:
    taken(store, studio, replace_annotations=False)
    project = store.projects.get(UID)
    assert (project.title, project.label_config) == ("Restaurants", LABEL_CONFIG)


@pytest.mark.parametrize(("replace_annotations", "lost"), [(True, []), (False, ["1", "2", "3", "4", "5"])])
def test_only_a_snapshot_that_replaces_annotations_hides_lost_changes(
    replace_annotations: bool, lost: list[str], store: Store, studio: FakeLabelStudio
) -> None:
    taken(store, studio, replace_annotations=replace_annotations)
    assert lost_changes(store, studio, store.projects.get(UID)) == lost


def test_task_that_cannot_be_read_is_named_in_the_report(store: Store, studio: FakeLabelStudio) -> None:
    studio.texts[3] = None  # type: ignore[assignment]
    snapshot = taken(store, studio)
    assert [document.id for document in snapshot.documents] == ["1", "2", "4", "5"]
    assert [issue.task for issue in snapshot.report.issues] == ["3"]


def test_progress_is_reported(store: Store, studio: FakeLabelStudio) -> None:
    fractions: list[float] = []
    taken(store, studio, progress=fractions.append)
    assert fractions == [0.0, 0.5]


def test_nothing_is_stored_of_a_project_that_was_replaced(store: Store, studio: FakeLabelStudio) -> None:
    studio.uid = "7.1999999999"
    with pytest.raises(ProjectReplaced):
        taken(store, studio)
    assert store.projects.get(UID).label_config != LABEL_CONFIG
    assert store.annotations.of(UID) == {}


def test_unreachable_label_studio_and_unusable_configuration_are_errors(store: Store, studio: FakeLabelStudio) -> None:
    studio.label_config = "<View/>"
    with pytest.raises(UnsupportedLabelConfig):
        taken(store, studio)
    studio.down = LabelStudioUnreachable("no answer")
    with pytest.raises(LabelStudioUnreachable):
        taken(store, studio)
