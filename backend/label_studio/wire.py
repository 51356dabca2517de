"""The formats of Label Studio's API: what a request holds, and what its answers mean."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from backend.errors import AnnotationsLost, LabelStudioError
from backend.label_studio.api import Prediction, RemoteBackend


def rows(dicts: Iterable[Mapping[str, Any]]) -> Any:
    # The SDK takes plain dictionaries where its types name classes.
    return [dict(row) for row in dicts]


def names(joined: Any) -> frozenset[str]:
    # "a,b" from SQLite; "a, b", or a list, from PostgreSQL.
    return frozenset(name.strip() for name in joined.split(",")) if isinstance(joined, str) else frozenset(joined or ())


def full_name(user: Mapping[str, Any]) -> str:
    """The first and last name of a user, else the e-mail address or the user name."""
    name = " ".join(str(user[part]) for part in ("first_name", "last_name") if user.get(part))
    return name or str(user.get("email") or user.get("username") or "")


# Queries of the Data Manager


def task_filter(column: str, operator: str, kind: str, value: Any) -> dict[str, Any]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def task_kind(*, submitted: bool, skipped: bool) -> list[dict[str, Any]]:
    """Filters for tasks that have, or do not have, annotations that people submitted, and such that skip the task."""
    columns = {"total_annotations": submitted, "cancelled_annotations": skipped}
    return [task_filter(name, "greater" if has else "equal", "Number", 0) for name, has in columns.items()]


def task_query(filters: Sequence[Mapping[str, Any]], *, after: int) -> str:
    """Tasks that pass all filters and have an id above ``after``, by ascending id."""
    items = [*filters, task_filter("id", "greater", "Number", after)]
    return json.dumps({"filters": {"conjunction": "and", "items": items}, "ordering": ["tasks:id"]})


def predicted_tasks(version: str, until: datetime) -> dict[str, Any]:
    """A tab's content: tasks with a prediction of ``version`` unchanged since ``until``, the latest change first."""
    filters = [
        task_filter("predictions_model_versions", "contains", "List", [version]),
        task_filter("updated_at", "less_or_equal", "Datetime", f"{until.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"),
    ]
    return {"filters": {"conjunction": "and", "items": filters}, "ordering": ["-tasks:updated_at"]}


# Imports


def prediction_row(prediction: Prediction) -> dict[str, Any]:
    """One prediction in the format of the bulk import, which has no ``mislabeling``."""
    return {
        "task": prediction.task,
        "result": prediction.regions,
        "score": prediction.score,
        "model_version": prediction.version,
    }


def imported_ids(project_id: int, tasks: Sequence[Mapping[str, Any]], answer: Any) -> list[int]:
    """The ids of imported tasks, from the answer to an import of ``tasks``.

    Raises `AnnotationsLost` or `LabelStudioError` where the answer counts fewer annotations or tasks than were sent.
    """
    ids = list(getattr(answer, "task_ids", None) or [])
    created, sent = answer.task_count or 0, sum(len(task.get("annotations") or ()) for task in tasks)
    if created != len(tasks):
        raise LabelStudioError(
            f"Label Studio imported {created} of {len(tasks)} tasks into project {project_id}: "
            "compare the project with what was sent, and import what is missing."
        )
    if lost := sent - (answer.annotation_count or 0):
        raise AnnotationsLost(project_id, ids, created=created, lost=lost, sent=sent)
    return ids


# ML backends


def credentials(auth: tuple[str, str] | None) -> dict[str, str]:
    # Label Studio crashes on an empty password; without a user name it sends none.
    if auth is None:
        return {"auth_method": "NONE", "basic_auth_user": ""}
    return {"auth_method": "BASIC_AUTH", "basic_auth_user": auth[0], "basic_auth_pass": auth[1]}


def unchanged(backend: RemoteBackend) -> dict[str, Any]:
    """The fields that an update must repeat: Label Studio tests the connection with them. "" keeps the password."""
    fields: dict[str, Any] = {"url": backend.url, "auth_method": backend.auth_method}
    if backend.auth_method == "BASIC_AUTH":
        fields |= {"basic_auth_user": backend.basic_auth_user, "basic_auth_pass": ""}
    if backend.extra_params is not None:
        fields["extra_params"] = backend.extra_params
    return fields
