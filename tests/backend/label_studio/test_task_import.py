from __future__ import annotations

from typing import Any

import pytest

from backend.errors import AnnotationsLost
from backend.label_studio.api import ProjectSetup
from backend.label_studio.task_import import import_annotated_tasks
from tests.backend.label_studio.conftest import Server


def region(start: int) -> dict[str, Any]:
    value = {"start": start, "end": start + 1, "labels": ["Dish"]}
    return {"from_name": "label", "to_name": "text", "type": "labels", "value": value}


TASKS: list[dict[str, Any]] = [
    {"data": {"text": "abc"}, "annotations": [{"result": [region(0)]}, {"result": [region(1)]}]},
    {"data": {"text": "abc"}},
    {"data": {"text": "abc"}, "annotations": [{"result": []}]},
]


@pytest.mark.parametrize("loses_annotations", [False, True])
def test_each_task_and_each_annotation_is_there_once(
    loses_annotations: bool, server: Server, label_studio: ProjectSetup
) -> None:
    server.loses_annotations = loses_annotations
    assert import_annotated_tasks(label_studio, 7, TASKS) == [1, 2, 3]
    assert list(server.tasks) == [1, 2, 3]
    assert {task: [annotation["result"] for annotation in stored] for task, stored in server.annotations.items()} == {
        1: [[region(0)], [region(1)]],
        2: [],
        3: [[]],
    }


def test_repaired_annotation_is_a_ground_truth_as_an_imported_one(server: Server, label_studio: ProjectSetup) -> None:
    server.loses_annotations = True
    import_annotated_tasks(label_studio, 7, TASKS)
    assert [annotation["ground_truth"] for annotation in server.annotations[1]] == [True, True]


def test_annotations_that_were_stored_are_not_created_again(server: Server, label_studio: ProjectSetup) -> None:
    server.loses_annotations = True
    server.keeps_first = True
    import_annotated_tasks(label_studio, 7, TASKS)
    assert [annotation["result"] for annotation in server.annotations[1]] == [[region(0)], [region(1)]]
    assert len(server.annotations[3]) == 1


def test_loss_that_cannot_be_repaired_is_an_error(server: Server, label_studio: ProjectSetup) -> None:
    server.loses_annotations = True
    server.returns_ids = False
    with pytest.raises(AnnotationsLost, match="delete these tasks in Label Studio and import them again"):
        import_annotated_tasks(label_studio, 7, TASKS)
    assert server.annotations[1] == []
