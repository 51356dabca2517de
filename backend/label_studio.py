"""The only module that calls Label Studio's API; everything else sees plain values and `LabelStudioError`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpx
from label_studio_sdk import LabelStudio as Client
from label_studio_sdk.core.api_error import ApiError

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioUnreachable
from backend.settings import Settings
from backend.tables import Project

log = logging.getLogger(__name__)

PAGE = 500
_EXPORT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class RemoteProject:
    """What Label Studio says of a project."""

    id: int
    uid: str
    title: str
    label_config: str
    tasks: int
    annotations: int
    model_version: str


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task without annotations: its data, and the model versions of which it holds a prediction."""

    id: int
    data: dict[str, Any]
    predicted_by: frozenset[str]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One stored pre-label: ``regions`` in Label Studio's result format, ``score`` in [0, 1]."""

    task: int
    regions: list[dict[str, Any]]
    score: float
    version: str


class LabelStudio:
    """One Label Studio server and the token that opens it.

    Every method raises `LabelStudioUnreachable` when the server does not answer and `LabelStudioRefused` when it
    answers no; a request takes at most ``timeout`` seconds, the export ten minutes.
    """

    def __init__(self, url: str, token: str | None, *, timeout: float = 60) -> None:
        if not token:
            raise LabelStudioRefused(
                f"No access token for Label Studio at {url}: set LABEL_STUDIO_API_KEY "
                "(in Label Studio: Account & Settings → Access Token)."
            )
        self.url = url
        with self._translated():
            self._client = Client(base_url=url, api_key=token, timeout=timeout)

    @contextmanager
    def _translated(self, what: str = "") -> Iterator[None]:
        try:
            yield
        except ApiError as error:
            raise _refusal(self.url, what, error) from None
        except (httpx.HTTPError, OSError) as error:
            raise LabelStudioUnreachable(
                f"Label Studio at {self.url} does not answer ({error or type(error).__name__}): "
                "check that it runs and that LABEL_STUDIO_URL is its address as seen from here."
            ) from None

    def close(self) -> None:
        """Close the connections."""
        self._client._client_wrapper.httpx_client.httpx_client.close()

    # Projects

    def project(self, project_id: int) -> RemoteProject:
        with self._translated(f"project {project_id}"):
            found = self._client.projects.get(project_id)
        return RemoteProject(
            id=project_id,
            uid=f"{project_id}.{int(found.created_at.timestamp()) if found.created_at else 0}",
            title=found.title or "",
            label_config=found.label_config or "",
            tasks=found.task_number or 0,
            annotations=(found.total_annotations_number or 0) + (found.skipped_annotations_number or 0),
            model_version=found.model_version or "",
        )

    def create_project(self, title: str, label_config: str) -> RemoteProject:
        with self._translated("a new project"):
            created = self._client.projects.create(title=title, label_config=label_config)
        return self.project(int(created.id or 0))

    def find_project(self, title: str) -> RemoteProject | None:
        """The newest project of that title."""
        with self._translated("the projects"):
            listed: Any = self._client.projects.list(title=title)
            found = [int(project.id) for project in listed if project.title == title]
        return self.project(max(found)) if found else None

    def set_model_version(self, project_id: int, version: str) -> None:
        """Show annotators the stored predictions of this version, and rank tasks by its scores.

        Label Studio refuses a version of which it holds no prediction.
        """
        with self._translated(f"model version {version} of project {project_id}"):
            self._client.projects.update(project_id, model_version=version, show_collab_predictions=True)

    # Tasks and annotations

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> int:
        """Import tasks in Label Studio's JSON format; return how many it created."""
        with self._translated(f"tasks of project {project_id}"):
            answer = self._client.projects.import_tasks(project_id, request=_rows(tasks))
        return answer.task_count or 0

    def labelled_tasks(self, project_id: int) -> list[dict[str, Any]]:
        """Every task with an annotation, as Label Studio's JSON export gives it."""
        with self._translated(f"the export of project {project_id}"):
            chunks = self._client.projects.exports.download_sync(
                project_id, export_type="JSON", request_options={"timeout_in_seconds": _EXPORT_SECONDS}
            )
            tasks: list[dict[str, Any]] = json.loads(b"".join(chunks))
        return tasks

    def unlabelled_tasks(self, project_id: int) -> list[OpenTask]:
        """Every task without annotations, skipped ones included."""
        # Label Studio's own filter by model version matches parts of names: ner-v1 would be found in ner-v10.
        columns = "id,data,predictions_model_versions"
        without = [_filter("total_annotations", "equal", "Number", 0)]
        return [
            OpenTask(task.id, task.data or {}, _names(task.predictions_model_versions))
            for task in self._tasks(project_id, without, include=columns)
        ]

    def annotation_tasks(self, project_id: int) -> dict[int, int]:
        """``{annotation id: task id}`` of every annotation, skipped ones included."""
        owners: dict[int, int] = {}
        for column in ("total_annotations", "cancelled_annotations"):
            having = [_filter(column, "greater", "Number", 0)]
            for task in self._tasks(project_id, having, include="id,annotations_ids"):
                for annotation in str(task.annotations_ids or "").split(","):
                    if annotation.strip().isdigit():
                        owners[int(annotation)] = task.id
        return owners

    def _tasks(self, project_id: int, filters: list[dict[str, Any]], *, include: str) -> list[Any]:
        query = json.dumps({"filters": {"conjunction": "and", "items": filters}})
        with self._translated(f"the tasks of project {project_id}"):
            # `annotations_ids` is empty unless all fields are asked for; `include` then keeps the answer small.
            pages: Any = self._client.tasks.list(
                project=project_id, query=query, page_size=PAGE, fields="all", include=include
            )
            return list(pages)

    def annotate(self, task_id: int, regions: Sequence[Mapping[str, Any]]) -> int:
        """Submit an annotation as the token's owner; return its id."""
        with self._translated(f"an annotation of task {task_id}"):
            created = self._client.annotations.create(task_id, result=_rows(regions), was_cancelled=False)
        return int(created.id or 0)

    # Predictions

    def import_predictions(self, project_id: int, predictions: Sequence[Prediction]) -> int:
        """Store pre-labels; return how many Label Studio kept, which may be fewer than were sent."""
        rows = [
            {"task": each.task, "result": each.regions, "score": each.score, "model_version": each.version}
            for each in predictions
        ]
        with self._translated(f"predictions of project {project_id}"):
            answer = self._client.projects.import_predictions(project_id, request=_rows(rows))
        return int(answer.created or 0)

    def count_predictions(self, project_id: int, version: str) -> tuple[int, int]:
        """``(unlabelled tasks with a prediction of this version, unlabelled tasks)``."""
        tasks = self.unlabelled_tasks(project_id)
        return sum(version in task.predicted_by for task in tasks), len(tasks)

    # The ML backend

    def connect_backend(self, project_id: int, url: str, *, title: str, auth: tuple[str, str] | None) -> int:
        """Create the ML backend of a project, or bring the one with this address up to date; return its id."""
        # Label Studio crashes on an empty password; without a user name it sends none.
        secured = {"auth_method": "NONE", "basic_auth_user": ""}
        if auth:
            secured = {"auth_method": "BASIC_AUTH", "basic_auth_user": auth[0], "basic_auth_pass": auth[1]}
        known: dict[str, Any] = {"url": url, "title": title, "is_interactive": True, **secured}
        with self._translated(f"the ML backend of project {project_id}"):
            same = [each for each in self._client.ml.list(project=project_id) if each.url == url]
            if same:
                backend = self._client.ml.update(int(same[0].id or 0), project=project_id, **known)
            else:
                backend = self._client.ml.create(project=project_id, **known)
        return int(backend.id or 0)

    def authorise_webhook(self, project_id: int, url: str, header: str | None) -> None:
        """Make the webhook to ``url`` send this Authorization header: Label Studio creates it without one."""
        headers = {"Authorization": header} if header else {}
        with self._translated(f"the webhook of project {project_id}"):
            hooks = [hook for hook in self._client.webhooks.list(project=str(project_id)) if hook.url == url]
            if not hooks:
                raise LabelStudioError(
                    f"Label Studio created no webhook to {url} for project {project_id}: labels would not arrive here."
                )
            self._client.webhooks.update(int(hooks[0].id or 0), url=url, headers=headers)

    def switch_prelabelling_on(self, project_id: int) -> None:
        """Show predictions to annotators when they open a task."""
        with self._translated(f"project {project_id}"):
            self._client.projects.update(
                project_id, show_collab_predictions=True, evaluate_predictions_automatically=False
            )

    def start_training(self, backend_id: int) -> None:
        """Press "Start Training" of an ML backend."""
        with self._translated(f"training of ML backend {backend_id}"):
            self._client.ml.train(backend_id)


def open_label_studio(settings: Settings, project: Project | None = None) -> LabelStudio:
    """The configured Label Studio; without a configured key, with the token the project's `/setup` brought."""
    key = settings.label_studio_api_key
    token = key.get_secret_value() if key else (project.access_token if project else None)
    return _opened(settings.label_studio_base, token)


@lru_cache(maxsize=16)
def _opened(url: str, token: str | None) -> LabelStudio:
    # One client a token: each would build connections and a TLS context of its own.
    return LabelStudio(url, token)


def _rows(rows: Iterable[Mapping[str, Any]]) -> Any:
    # The SDK takes plain dictionaries where its types name classes.
    return [dict(row) for row in rows]


def _names(joined: Any) -> frozenset[str]:
    # One string from SQLite, a list from PostgreSQL.
    return frozenset(joined.split(",") if isinstance(joined, str) else joined or ())


def _filter(column: str, operator: str, kind: str, value: Any) -> dict[str, Any]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def _refusal(url: str, what: str, error: ApiError) -> LabelStudioError:
    body: Any = error.body
    # A crash of Label Studio answers with a whole page of HTML.
    detail = body.get("validation_errors") or body.get("detail") or body if isinstance(body, dict) else "no reason"
    if error.status_code in (401, 403):
        return LabelStudioRefused(
            f"Label Studio at {url} refuses the access token ({error.status_code}: {str(detail)[:200]}): "
            "set LABEL_STUDIO_API_KEY to a token that may open this project."
        )
    return LabelStudioError(
        f"Label Studio at {url} answered {error.status_code} for {what or 'a request'}: {str(detail)[:300]}"
    )
