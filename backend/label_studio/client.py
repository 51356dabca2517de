"""Calls Label Studio's API, and is the only module that does; `backend.label_studio.api` says what each call means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import httpx
from label_studio_sdk import LabelStudio as Client
from label_studio_sdk.core.api_error import ApiError
from label_studio_sdk.core.request_options import RequestOptions

from backend.errors import LabelStudioError, LabelStudioUnreachable
from backend.label_studio import wire
from backend.label_studio.api import Page, Prediction, RemoteBackend, RemoteProject, UnlabelledTask
from backend.settings import Settings
from backend.store.models import Project

PAGE = 500
_EXPORT_SECONDS = 600
_IMPORT_SECONDS = 300

# Label Studio cuts its lists of names at 500 characters, in no order.
_UNCUT_LENGTH = 490

# A repeated import is stored twice, and the SDK would repeat it when an answer is lost.
_ONCE: RequestOptions = {"max_retries": 0, "timeout_in_seconds": _IMPORT_SECONDS}


class LabelStudio:
    """One Label Studio server and an access token for it; implements `ProjectSetup`.

    A request takes at most ``timeout`` seconds, an import five minutes, the export ten. ``unused`` are
    `Settings.unused_variables`, which errors name.
    """

    def __init__(
        self, url: str, token: str | None, *, timeout: float = 60, unused: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        if not token:
            raise wire.no_token(url, unused)
        self.url = url
        self._unused = unused
        with self._translated():
            self._client = Client(base_url=url, api_key=token, timeout=timeout)

    @contextmanager
    def _translated(self, what: str = "") -> Iterator[None]:
        """Raise the SDK's errors as ours; ``what`` is what the request was for."""
        try:
            yield
        except ApiError as error:
            raise wire.refusal(self.url, what, error) from None
        except (httpx.HTTPError, OSError) as error:
            raise self.unreachable(error) from None

    def unreachable(self, error: Exception) -> LabelStudioUnreachable:
        return wire.unreachable(self.url, error, self._unused)

    def close(self) -> None:
        """Close the connections."""
        self._client._client_wrapper.httpx_client.httpx_client.close()

    def authorization(self) -> str:
        """The Authorization header of a request now; personal access tokens are exchanged and renewed."""
        with self._translated("an access token"):
            return self._client._client_wrapper.get_headers()["Authorization"]

    def release(self) -> str:
        with self._translated("its version"):
            return self._client.versions.get().release or ""

    # Projects

    def project(self, project_id: int) -> RemoteProject:
        with self._translated(f"project {project_id}"):
            project = self._client.projects.get(project_id)
        return RemoteProject(
            id=project_id,
            uid=f"{project_id}.{int(project.created_at.timestamp()) if project.created_at else 0}",
            title=project.title or "",
            label_config=project.label_config or "",
            tasks=project.task_number or 0,
            annotations=(project.total_annotations_number or 0) + (project.skipped_annotations_number or 0),
            model_version=project.model_version or "",
        )

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
        owners: dict[int, int] = {}
        for column in ("total_annotations", "cancelled_annotations"):
            annotated = [wire.task_filter(column, "greater", "Number", 0)]
            pages = self._pages(project_id, annotated, include="id,annotations_ids")
            for task in (task for tasks, _ in pages for task in tasks):
                for annotation in str(task.annotations_ids or "").split(","):
                    if annotation.strip().isdigit():
                        owners[int(annotation)] = task.id
        return owners

    def _pages(
        self, project_id: int, filters: list[dict[str, Any]], *, include: str, first: int = 0
    ) -> Iterator[tuple[list[Any], int]]:
        """Tasks by ascending id, and how many there are from the first of them on.

        A page begins after the last id of the page before. With page numbers, each task that leaves the selection
        meanwhile would make a page skip another one.
        """
        after = first - 1
        while True:
            with self._translated(f"the tasks of project {project_id}"):
                # `annotations_ids` is empty unless all fields are asked for; `include` then keeps the answer small.
                page: Any = self._client.tasks.list(
                    project=project_id, query=wire.task_query(filters, after=after), page=1, page_size=PAGE,
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

    def delete_predictions(self, project_id: int, version: str) -> None:
        client = self._client._client_wrapper.httpx_client  # the SDK has no method for it
        with self._translated(f"{wire.DELETION}the predictions of version {version} of project {project_id}"):
            path = f"api/projects/{project_id}/model-versions/"
            answer = client.request(path, method="DELETE", json={"model_version": version})
            if not answer.is_success:
                raise ApiError(status_code=answer.status_code, body=answer.text)

    def show_tab(self, project_id: int, title: str, *, version: str, until: datetime) -> None:
        content = wire.predicted_tasks(version, until)
        with self._translated(f"the tabs of project {project_id}"):
            tabs: Any = self._client.views
            existing = [tab for tab in tabs.list(project=project_id) if (tab.data or {}).get("title") == title]
            if existing:
                tabs.update(str(existing[0].id), project=project_id, data={**existing[0].data, **content})
            else:
                tabs.create(project=project_id, data={"title": title, **content})

    # The ML backend

    def connect_backend(self, project_id: int, url: str, *, title: str, auth: tuple[str, str] | None) -> int:
        fields: dict[str, Any] = {"url": url, "is_interactive": True, **wire.credentials(auth)}
        with self._translated(f"the ML backend of project {project_id}"):
            existing = [backend for backend in self._client.ml.list(project=project_id) if backend.url == url]
            if existing:
                backend = self._client.ml.update(int(existing[0].id or 0), project=project_id, **fields)
            else:
                backend = self._client.ml.create(project=project_id, title=title, **fields)
        return int(backend.id or 0)

    def backends(self, project_id: int) -> list[RemoteBackend]:
        with self._translated(f"the ML backends of project {project_id}"):
            backends = self._client.ml.list(project=project_id)
        return [
            RemoteBackend(
                id=int(backend.id or 0),
                url=backend.url or "",
                title=backend.title or "",
                description=backend.description or "",
                model_version=backend.model_version or "",
                auth_method=str(backend.auth_method or "NONE"),
                basic_auth_user=backend.basic_auth_user or "",
                extra_params=backend.extra_params,
            )
            for backend in backends
        ]

    def describe_backend(self, project_id: int, backend: RemoteBackend, *, title: str, description: str) -> None:
        fields = wire.unchanged(backend)
        with self._translated(f"the ML backend of project {project_id}"):
            self._client.ml.update(backend.id, project=project_id, title=title, description=description, **fields)

    def authorise_webhook(self, project_id: int, url: str, header: str | None) -> None:
        headers = {"Authorization": header} if header else {}
        with self._translated(f"the webhook of project {project_id}"):
            hooks = [hook for hook in self._client.webhooks.list(project=str(project_id)) if hook.url == url]
            if not hooks:
                raise LabelStudioError(
                    f"Label Studio created no webhook to {url} for project {project_id}, so new labels are not "
                    "reported here: remove the ML backend in Settings → Model and connect it again."
                )
            self._client.webhooks.update(int(hooks[0].id or 0), url=url, headers=headers)

    def switch_prelabelling_on(self, project_id: int) -> None:
        with self._translated(f"project {project_id}"):
            self._client.projects.update(
                project_id, show_collab_predictions=True, evaluate_predictions_automatically=False
            )

    def start_training(self, backend_id: int) -> None:
        with self._translated(f"training of ML backend {backend_id}"):
            self._client.ml.train(backend_id)


def open_label_studio(settings: Settings, project: Project | None = None) -> LabelStudio:
    """The configured Label Studio; without a configured key, with the token that the project's `/setup` brought."""
    key = settings.label_studio_api_key
    token = key.get_secret_value() if key else (project.access_token if project else None)
    return _cached(settings.label_studio_base, token, tuple(settings.unused_variables().items()))


@lru_cache(maxsize=16)
def _cached(url: str, token: str | None, unused: tuple[tuple[str, str], ...]) -> LabelStudio:
    # One client a token: each builds connections and a TLS context of its own.
    return LabelStudio(url, token, unused=dict(unused))
