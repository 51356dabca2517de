"""Calls Label Studio's API: tasks and predictions; `backend.label_studio.api` says what each call means.

Only this module and `backend.label_studio.backend_client` call it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from label_studio_sdk.core.api_error import ApiError
from label_studio_sdk.core.request_options import RequestOptions

from backend.label_studio import refusals, wire
from backend.label_studio.api import Page, Prediction, RemoteProject, StoredPrediction, UnlabelledTask
from backend.label_studio.backend_client import BackendClient
from backend.settings import Settings
from backend.store.models import Project

PAGE = 500
_PREDICTIONS_PAGE = 20
_STORED_PAGE = 100
_EXPORT_SECONDS = 600
_IMPORT_SECONDS = 300

# Label Studio cuts its lists of names at 500 characters, in no order.
_UNCUT_LENGTH = 490

# A repeated import is stored twice, and the SDK would repeat it when an answer is lost.
_ONCE: RequestOptions = {"max_retries": 0, "timeout_in_seconds": _IMPORT_SECONDS}


class LabelStudio(BackendClient):
    """One Label Studio server and an access token for it; implements `ProjectSetup`.

    A request takes at most ``timeout`` seconds, an import five minutes, the export ten.
    """

    # Projects

    def create_project(self, title: str, label_config: str) -> RemoteProject:
        with self._translated("a new project"):
            created = self._client.projects.create(title=title, label_config=label_config)
        return self.project(int(created.id or 0))

    def find_project(self, title: str) -> RemoteProject | None:
        with self._translated("the projects"):
            projects: Any = self._client.projects.list(title=title)
            ids = [int(project.id) for project in projects if project.title == title]
        return self.project(max(ids)) if ids else None

    def set_model_version(self, project_id: int, version: str) -> None:
        with self._translated(f"model version {version} of project {project_id}"):
            self._client.projects.update(project_id, model_version=version, show_collab_predictions=True)

    # Tasks and annotations

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        with self._translated(f"tasks of project {project_id}"):
            answer = self._client.projects.import_tasks(
                project_id, request=wire.rows(tasks), return_task_ids=True, request_options=_ONCE
            )
        return wire.imported_ids(project_id, tasks, answer)

    def labelled_tasks(self, project_id: int) -> list[dict[str, Any]]:
        with self._translated(f"the export of project {project_id}"):
            chunks = self._client.projects.exports.download_sync(
                project_id, export_type="JSON", request_options={"timeout_in_seconds": _EXPORT_SECONDS}
            )
            tasks: list[dict[str, Any]] = json.loads(b"".join(chunks))
        return tasks

    def users(self) -> dict[int, str]:
        with self._translated("the users"):
            users = self._client.users.list()
        names = {user.id: wire.full_name(user.dict()) for user in users if user.id is not None}
        return {user_id: name for user_id, name in names.items() if name}

    def unlabelled_tasks(self, project_id: int) -> list[UnlabelledTask]:
        return [task for page in self.unlabelled_pages(project_id) for task in page.tasks]

    def unlabelled_pages(self, project_id: int, *, first: int = 0, last: int | None = None) -> Iterator[Page]:
        # Label Studio's own filter by model version matches parts of names: ner-v1 would be found in ner-v10.
        columns = "id,data,predictions_model_versions"
        filters = [wire.task_filter("total_annotations", "equal", "Number", 0)]
        if last is not None:
            filters.append(wire.task_filter("id", "less", "Number", last + 1))
        for tasks, remaining in self._pages(project_id, filters, include=columns, first=first):
            yield Page(
                [UnlabelledTask(task.id, task.data or {}, self._predicted_by(task)) for task in tasks], remaining
            )

    def _predicted_by(self, task: Any) -> frozenset[str]:
        joined = task.predictions_model_versions
        if isinstance(joined, str) and len(joined) > _UNCUT_LENGTH:
            with self._translated(f"the predictions of task {task.id}"):
                predictions = self._client.predictions.list(task=task.id)
                return frozenset(prediction.model_version or "" for prediction in predictions)
        return wire.names(joined)

    def annotation_tasks(self, project_id: int) -> dict[int, int]:
        return self._annotations(project_id, skipped=False)

    def skips(self, project_id: int) -> set[int]:
        return set(self._annotations(project_id, skipped=True))

    def count_skipped_tasks(self, project_id: int) -> int:
        pages = self._pages(project_id, wire.task_kind(submitted=False, skipped=True), include="id", size=1)
        return next((total for _, total in pages), 0)

    def _annotations(self, project_id: int, *, skipped: bool) -> dict[int, int]:
        """``{annotation id: task id}`` of all annotations that skip a task, or of those that do not."""
        owners: dict[int, int] = {}
        filters = wire.task_kind(submitted=not skipped, skipped=skipped)
        for task in self._tasks(project_id, filters, include="id,annotations_ids"):
            for annotation in str(task.annotations_ids or "").split(","):
                if annotation.strip().isdigit():
                    owners[int(annotation)] = task.id
        # `annotations_ids` names both kinds: in the few tasks that have both, only a list of its own tells them apart.
        for task in self._tasks(project_id, wire.task_kind(submitted=True, skipped=True), include="id"):
            with self._translated(f"the annotations of task {task.id}"):
                rows = self._client.annotations.list(task.id)
            owners |= {int(row.id): task.id for row in rows if row.id and bool(row.was_cancelled) is skipped}
        return owners

    def _tasks(self, project_id: int, filters: list[dict[str, Any]], *, include: str) -> Iterator[Any]:
        return (task for tasks, _ in self._pages(project_id, filters, include=include) for task in tasks)

    def _pages(
        self, project_id: int, filters: list[dict[str, Any]], *, include: str, first: int = 0, size: int | None = None
    ) -> Iterator[tuple[list[Any], int]]:
        """Tasks by ascending id, ``size`` a page, and how many there are from the first of them on.

        A page begins after the last id of the page before. With page numbers, each task that leaves the selection
        meanwhile would make a page skip another one.
        """
        after = first - 1
        while True:
            with self._translated(f"the tasks of project {project_id}"):
                # `annotations_ids` is empty unless all fields are asked for; `include` then keeps the answer small.
                page: Any = self._client.tasks.list(
                    project=project_id, query=wire.task_query(filters, after=after), page=1, page_size=size or PAGE,
                    fields="all", include=include,
                )  # fmt: skip
            tasks, remaining = page.items or [], page.response.total or 0
            if tasks:
                yield tasks, remaining
            if not tasks or remaining <= len(tasks):
                return
            after = tasks[-1].id

    def annotate(self, task_id: int, regions: Sequence[Mapping[str, Any]], *, ground_truth: bool = False) -> int:
        with self._translated(f"an annotation of task {task_id}"):
            created = self._client.annotations.create(
                task_id, result=wire.rows(regions), was_cancelled=False, ground_truth=ground_truth
            )
        return int(created.id or 0)

    # Predictions

    def import_predictions(self, project_id: int, predictions: Sequence[Prediction]) -> int:
        request = wire.rows(map(wire.prediction_row, predictions))
        with self._translated(f"predictions of project {project_id}"):
            answer = self._client.projects.import_predictions(project_id, request=request, request_options=_ONCE)
        return int(answer.created or 0)

    def count_predictions(self, project_id: int, version: str) -> tuple[int, int]:
        tasks = self.unlabelled_tasks(project_id)
        return sum(version in task.predicted_by for task in tasks), len(tasks)

    def create_prediction(self, prediction: Prediction) -> datetime:
        with self._translated(f"a prediction of task {prediction.task}"):
            created = self._client.predictions.create(
                task=prediction.task,
                result=wire.rows(prediction.regions),
                score=prediction.score,
                model_version=prediction.version,
                mislabeling=prediction.mislabeling,
                request_options=_ONCE,
            )
        return created.updated_at or datetime.now(UTC)

    def stored_predictions(self, project_id: int, version: str) -> Iterator[list[StoredPrediction]]:
        filters = [
            wire.task_filter("total_annotations", "equal", "Number", 0),
            wire.task_filter("predictions_model_versions", "contains", "List", [version]),
        ]
        for tasks, _ in self._pages(project_id, filters, include="id,data,predictions", size=_STORED_PAGE):
            rows = [(task, row) for task in tasks for row in wire.rows(task.predictions or ())]
            if page := [
                StoredPrediction(int(row["id"]), task.id, task.data or {}, row["result"] or [])
                for task, row in rows
                if row["model_version"] == version
            ]:
                yield page

    def replace_prediction(self, prediction_id: int, prediction: Prediction) -> None:
        with self._translated(f"a prediction of task {prediction.task}"):
            self._client.predictions.update(
                prediction_id,
                task=prediction.task,
                result=wire.rows(prediction.regions),
                score=prediction.score,
                model_version=prediction.version,
            )

    def count_by_version(self, project_id: int) -> dict[str, int]:
        with self._translated(f"the model versions of project {project_id}"):
            counted = self._model_versions("GET", project_id).json()
        # The name that a project shows is there even if it has no predictions.
        return {name: int(number) for name, number in counted.items() if number}

    def prediction_ids(self, project_id: int, version: str, *, without: str) -> Iterator[list[int]]:
        having = [wire.task_filter("predictions_model_versions", "contains", "List", [version])]
        pages = self._pages(project_id, having, include="id,predictions", size=_PREDICTIONS_PAGE)
        for tasks, _ in pages:
            of_each = [wire.rows(task.predictions or ()) for task in tasks]
            free = [rows for rows in of_each if without not in {row["model_version"] for row in rows}]
            if ids := [int(row["id"]) for rows in free for row in rows if row["model_version"] == version]:
                yield ids

    def delete_prediction(self, prediction_id: int) -> None:
        with self._translated(f"the deletion of prediction {prediction_id}"):
            try:
                self._client.predictions.delete(prediction_id)
            except ApiError as error:
                if error.status_code != HTTPStatus.NOT_FOUND:
                    raise

    def delete_predictions(self, project_id: int, version: str) -> None:
        with self._translated(f"{refusals.DELETION}the predictions of version {version} of project {project_id}"):
            self._model_versions("DELETE", project_id, json={"model_version": version})

    def _model_versions(self, method: str, project_id: int, **request: Any) -> Any:
        client = self._client._client_wrapper.httpx_client  # the SDK has no method for it
        answer = client.request(f"api/projects/{project_id}/model-versions/", method=method, **request)
        if not answer.is_success:
            raise ApiError(status_code=answer.status_code, body=answer.text)
        return answer

    def show_tab(self, project_id: int, title: str, *, version: str, until: datetime) -> None:
        content = wire.predicted_tasks(version, until)
        with self._translated(f"the tabs of project {project_id}"):
            tabs: Any = self._client.views
            existing = [tab for tab in tabs.list(project=project_id) if (tab.data or {}).get("title") == title]
            if existing:
                tabs.update(str(existing[0].id), project=project_id, data={**existing[0].data, **content})
            else:
                tabs.create(project=project_id, data={"title": title, **content})


def open_label_studio(settings: Settings, project: Project | None = None) -> LabelStudio:
    """The configured Label Studio; without a configured key, with the token that the project's `/setup` brought."""
    key = settings.label_studio_api_key
    token = key.get_secret_value() if key else (project.access_token if project else None)
    return _cached(settings.label_studio_base, token, tuple(settings.unused_variables().items()))


@lru_cache(maxsize=16)
def _cached(url: str, token: str | None, unused: tuple[tuple[str, str], ...]) -> LabelStudio:
    # One client a token: each builds connections and a TLS context of its own.
    return LabelStudio(url, token, unused=dict(unused))
