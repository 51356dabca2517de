"""The only module that calls Label Studio's API; everything else sees plain values and `LabelStudioError`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import httpx
from label_studio_sdk import LabelStudio as Client
from label_studio_sdk.core.api_error import ApiError
from label_studio_sdk.core.request_options import RequestOptions

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioUnreachable
from backend.label_studio.api import OpenTask, Page, Prediction, RemoteBackend, RemoteProject
from backend.label_studio.wire import names, refusal, rows, task_filter
from backend.settings import Settings
from backend.store.models import Project

log = logging.getLogger(__name__)

PAGE = 500
_EXPORT_SECONDS = 600
_IMPORT_SECONDS = 300

# Label Studio cuts its lists of names at 500 characters, in no order.
_CERTAINLY_WHOLE = 490

# What is sent twice is stored twice, and the library would send it again when an answer is lost.
_ONCE: RequestOptions = {"max_retries": 0, "timeout_in_seconds": _IMPORT_SECONDS}


class LabelStudio:
    """One Label Studio server and the token that opens it.

    Every method raises `LabelStudioUnreachable` when the server does not answer and `LabelStudioRefused` when it
    answers no; `LabelStudioRejected` when it has stored nothing of what was sent, for what it was. A request takes at
    most ``timeout`` seconds, an import of predictions five minutes, the export ten.
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
            raise refusal(self.url, what, error) from None
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
            answer = self._client.projects.import_tasks(project_id, request=rows(tasks), request_options=_ONCE)
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
        return [task for page in self.unlabelled_pages(project_id) for task in page.tasks]

    def unlabelled_pages(self, project_id: int, *, first: int = 0, last: int | None = None) -> Iterator[Page]:
        """The same a page at a time; only those with ids from ``first`` to ``last``."""
        # Label Studio's own filter by model version matches parts of names: ner-v1 would be found in ner-v10.
        columns = "id,data,predictions_model_versions"
        chosen = [task_filter("total_annotations", "equal", "Number", 0)]
        if last is not None:
            chosen.append(task_filter("id", "less", "Number", last + 1))
        for tasks, left in self._pages(project_id, chosen, include=columns, first=first):
            yield Page([OpenTask(task.id, task.data or {}, self._predicted_by(task)) for task in tasks], left)

    def _predicted_by(self, task: Any) -> frozenset[str]:
        joined = task.predictions_model_versions
        if isinstance(joined, str) and len(joined) > _CERTAINLY_WHOLE:
            with self._translated(f"the predictions of task {task.id}"):
                return frozenset(each.model_version or "" for each in self._client.predictions.list(task=task.id))
        return names(joined)

    def annotation_tasks(self, project_id: int) -> dict[int, int]:
        """``{annotation id: task id}`` of every annotation, skipped ones included."""
        owners: dict[int, int] = {}
        for column in ("total_annotations", "cancelled_annotations"):
            having = [task_filter(column, "greater", "Number", 0)]
            pages = self._pages(project_id, having, include="id,annotations_ids")
            for task in (task for tasks, _ in pages for task in tasks):
                for annotation in str(task.annotations_ids or "").split(","):
                    if annotation.strip().isdigit():
                        owners[int(annotation)] = task.id
        return owners

    def _pages(
        self, project_id: int, filters: list[dict[str, Any]], *, include: str, first: int = 0
    ) -> Iterator[tuple[list[Any], int]]:
        """Tasks by ascending id, and how many there were from the first of them on.

        Each page begins behind the last id of the one before it: by number, a page would lose as many tasks as left
        the selection meanwhile.
        """
        before = first - 1
        while True:
            items = [*filters, task_filter("id", "greater", "Number", before)]
            query = json.dumps({"filters": {"conjunction": "and", "items": items}, "ordering": ["tasks:id"]})
            with self._translated(f"the tasks of project {project_id}"):
                # `annotations_ids` is empty unless all fields are asked for; `include` then keeps the answer small.
                page: Any = self._client.tasks.list(
                    project=project_id, query=query, page=1, page_size=PAGE, fields="all", include=include
                )
            tasks, left = page.items or [], page.response.total or 0
            if tasks:
                yield tasks, left
            if not tasks or left <= len(tasks):
                return
            before = tasks[-1].id

    def annotate(self, task_id: int, regions: Sequence[Mapping[str, Any]]) -> int:
        """Submit an annotation as the token's owner; return its id."""
        with self._translated(f"an annotation of task {task_id}"):
            created = self._client.annotations.create(task_id, result=rows(regions), was_cancelled=False)
        return int(created.id or 0)

    # Predictions

    def import_predictions(self, project_id: int, predictions: Sequence[Prediction]) -> int:
        """Store pre-labels; return how many Label Studio kept, which may be fewer than were sent.

        Their ``mislabeling`` is lost: see `create_prediction`.
        """
        sent = [
            {"task": each.task, "result": each.regions, "score": each.score, "model_version": each.version}
            for each in predictions
        ]
        with self._translated(f"predictions of project {project_id}"):
            answer = self._client.projects.import_predictions(project_id, request=rows(sent), request_options=_ONCE)
        return int(answer.created or 0)

    def count_predictions(self, project_id: int, version: str) -> tuple[int, int]:
        """``(unlabelled tasks with a prediction of this version, unlabelled tasks)``."""
        tasks = self.unlabelled_tasks(project_id)
        return sum(version in task.predicted_by for task in tasks), len(tasks)

    def create_prediction(self, prediction: Prediction) -> datetime:
        """Store one prediction with all its fields, a request for each; return when Label Studio did so, by its clock.

        It counts as a change of the task.
        """
        with self._translated(f"a prediction of task {prediction.task}"):
            created = self._client.predictions.create(
                task=prediction.task,
                result=rows(prediction.regions),
                score=prediction.score,
                model_version=prediction.version,
                mislabeling=prediction.mislabeling,
                request_options=_ONCE,
            )
        return created.updated_at or datetime.now(UTC)

    def delete_predictions(self, project_id: int, version: str) -> None:
        """Delete all predictions of one model version."""
        client = self._client._client_wrapper.httpx_client  # the SDK has no method for it
        with self._translated(f"predictions of project {project_id}"):
            path = f"api/projects/{project_id}/model-versions/"
            answer = client.request(path, method="DELETE", json={"model_version": version})
            if not answer.is_success:
                raise ApiError(status_code=answer.status_code, body=answer.text)

    def show_tab(self, project_id: int, title: str, *, version: str, until: datetime) -> None:
        """Give the project's Data Manager a tab, or bring it up to date: the tasks with a prediction of ``version``
        that have not changed after ``until``, the last changed first."""
        filters = [
            task_filter("predictions_model_versions", "contains", "List", [version]),
            task_filter("updated_at", "less_or_equal", "Datetime", f"{until.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"),
        ]
        shown = {"filters": {"conjunction": "and", "items": filters}, "ordering": ["-tasks:updated_at"]}
        with self._translated(f"the tabs of project {project_id}"):
            tabs: Any = self._client.views
            same = [tab for tab in tabs.list(project=project_id) if (tab.data or {}).get("title") == title]
            if same:
                tabs.update(str(same[0].id), project=project_id, data={**same[0].data, **shown})
            else:
                tabs.create(project=project_id, data={"title": title, **shown})

    # The ML backend

    def connect_backend(self, project_id: int, url: str, *, title: str, auth: tuple[str, str] | None) -> int:
        """Create the ML backend of a project, or bring the one with this address up to date; return its id."""
        # Label Studio crashes on an empty password; without a user name it sends none.
        secured = {"auth_method": "NONE", "basic_auth_user": ""}
        if auth:
            secured = {"auth_method": "BASIC_AUTH", "basic_auth_user": auth[0], "basic_auth_pass": auth[1]}
        known: dict[str, Any] = {"url": url, "is_interactive": True, **secured}
        with self._translated(f"the ML backend of project {project_id}"):
            same = [each for each in self._client.ml.list(project=project_id) if each.url == url]
            if same:
                backend = self._client.ml.update(int(same[0].id or 0), project=project_id, **known)
            else:
                backend = self._client.ml.create(project=project_id, title=title, **known)
        return int(backend.id or 0)

    def backends(self, project_id: int) -> list[RemoteBackend]:
        """A project's ML backends; Label Studio asks each of them for its version before it answers."""
        with self._translated(f"the ML backends of project {project_id}"):
            listed = self._client.ml.list(project=project_id)
        return [
            RemoteBackend(
                id=int(each.id or 0),
                url=each.url or "",
                title=each.title or "",
                description=each.description or "",
                model_version=each.model_version or "",
                auth_method=str(each.auth_method or "NONE"),
                basic_auth_user=each.basic_auth_user or "",
                extra_params=each.extra_params,
            )
            for each in listed
        ]

    def describe_backend(self, project_id: int, backend: RemoteBackend, *, title: str, description: str) -> None:
        """Change what is written on an ML backend, and nothing else of it."""
        # Label Studio tries the connection with what is sent, not with what it holds; an empty password is the old one.
        held: dict[str, Any] = {"url": backend.url, "auth_method": backend.auth_method}
        if backend.auth_method == "BASIC_AUTH":
            held |= {"basic_auth_user": backend.basic_auth_user, "basic_auth_pass": ""}
        if backend.extra_params is not None:
            held["extra_params"] = backend.extra_params
        with self._translated(f"the ML backend of project {project_id}"):
            self._client.ml.update(backend.id, project=project_id, title=title, description=description, **held)

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
