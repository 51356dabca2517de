"""What the backend asks of Label Studio: the values that come back, and the calls as Protocols, one for each use.

`backend.label_studio.client.LabelStudio` makes the calls over HTTP. Every call raises `LabelStudioUnreachable` when the
server does not answer, `LabelStudioRefused` when it refuses the access token or an address, `LabelStudioRejected` when
it stored nothing of a request because of its content, and `LabelStudioError` for any other failure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class RemoteProject:
    """A project as Label Studio describes it: ``annotations`` were submitted, ``skips`` are those that skip a task.

    ``shows_predictions``: annotators see predictions when they open a task; ``by_uncertainty``: the least certain task
    comes first.
    """

    id: int
    uid: str
    title: str
    label_config: str
    tasks: int
    annotations: int
    model_version: str
    skips: int = 0
    shows_predictions: bool = True
    by_uncertainty: bool = True


@dataclass(frozen=True, slots=True)
class UnlabelledTask:
    """A task without annotations: its data, and the model versions of which it has a prediction."""

    id: int
    data: dict[str, Any]
    predicted_by: frozenset[str]


@dataclass(frozen=True, slots=True)
class StoredPrediction:
    """The prediction ``id`` that Label Studio has of a task: the task's data, and the regions."""

    id: int
    task: int
    data: dict[str, Any]
    regions: list[dict[str, Any]]


class Page(NamedTuple):
    """Some of a project's unlabelled tasks by ascending id, and how many there are from the first of them on."""

    tasks: list[UnlabelledTask]
    remaining: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """One stored pre-label: ``regions`` in Label Studio's result format, ``score`` in [0, 1].

    ``mislabeling`` is the probability that the task's labels are wrong, in [0, 1].
    """

    task: int
    regions: list[dict[str, Any]]
    score: float
    version: str
    mislabeling: float = 0.0


@dataclass(frozen=True, slots=True)
class RemoteBackend:
    """An ML backend of a project; ``model_version`` is the one in its latest answer to Label Studio.

    ``answers``: Label Studio has just reached it, and it accepted the request.
    """

    id: int
    url: str
    title: str
    description: str
    model_version: str
    auth_method: str
    basic_auth_user: str
    extra_params: Any
    answers: bool = True
    is_interactive: bool = True


@dataclass(frozen=True, slots=True)
class RemoteWebhook:
    """A webhook of a project; ``header`` is the Authorization header that it sends.

    ``sends_all``: it sends every event, with its content.
    """

    id: int
    url: str
    header: str | None
    is_active: bool = True
    sends_all: bool = True


class Download(NamedTuple):
    """What Label Studio answered: the start of a file (at most the size asked for and one byte), or a redirect."""

    status: int
    content: bytes
    location: str | None


class Files(Protocol):
    """The files that Label Studio serves; `backend.label_studio.files.LabelStudioFiles` reads them over HTTP."""

    def download(self, path: str, *, authorised: bool, limit: int, seconds: float) -> Download | None:
        """Fetch a path of Label Studio's host without following redirects; ``None`` after ``seconds``.

        The access token is sent only where ``authorised``.
        """
        ...


class Projects(Protocol):
    def project(self, project_id: int) -> RemoteProject: ...


class Annotations(Projects, Protocol):
    """What people have labelled."""

    def annotation_tasks(self, project_id: int) -> dict[int, int]:
        """``{annotation id: task id}`` of every submitted annotation; those that skip a task are left out."""
        ...

    def skips(self, project_id: int) -> set[int]:
        """The ids of all annotations that skip a task."""
        ...

    def count_skipped_tasks(self, project_id: int) -> int:
        """How many tasks were skipped and have no submitted annotation."""
        ...

    def labelled_tasks(self, project_id: int) -> list[dict[str, Any]]:
        """Every task with an annotation, in the format of Label Studio's JSON export."""
        ...

    def users(self) -> dict[int, str]:
        """The names, or else the e-mail addresses, of the users that the access token may see, by id."""
        ...


class PredictionStore(Projects, Protocol):
    """The pre-labels that Label Studio stores."""

    def unlabelled_pages(self, project_id: int, *, first: int = 0, last: int | None = None) -> Iterator[Page]:
        """Tasks without annotations (skipped tasks included), of ids from ``first`` to ``last``, a page at a time."""

    def import_predictions(self, project_id: int, predictions: Sequence[Prediction]) -> int:
        """Store predictions in one request; return how many Label Studio kept, which may be fewer.

        Their ``mislabeling`` is lost: see `create_prediction`.
        """

    def create_prediction(self, prediction: Prediction) -> datetime:
        """Store one prediction with all its fields, which changes its task; return when, by Label Studio's clock."""

    def stored_predictions(self, project_id: int, version: str) -> Iterator[list[StoredPrediction]]:
        """The predictions of one model version on tasks without annotations, a page at a time; no page is empty."""

    def replace_prediction(self, prediction_id: int, prediction: Prediction) -> None:
        """Change the regions and the score of a stored prediction, which changes its task."""

    def count_by_version(self, project_id: int) -> dict[str, int]:
        """The number of predictions of each model version, on all tasks."""

    def prediction_ids(self, project_id: int, version: str, *, without: str) -> Iterator[list[int]]:
        """The ids of the predictions of one model version, a page of tasks at a time; no page is empty.

        Tasks that have a prediction of the model version ``without`` are left out.
        """

    def delete_prediction(self, prediction_id: int) -> None:
        """Delete one prediction, which changes its task; one that does not exist is no error."""

    def delete_predictions(self, project_id: int, version: str) -> None:
        """Delete all predictions of one model version in one request; nobody else can write meanwhile on SQLite.

        Where Label Studio shows this version, or has an ML backend's title in place of one, it shows none afterwards.
        """

    def set_model_version(self, project_id: int, version: str) -> None:
        """Show annotators the stored predictions of this version, and rank tasks by its scores.

        Label Studio refuses a version of which it has no prediction.
        """


class Backends(Projects, Protocol):
    """The ML backends of a project: this service, and perhaps others."""

    def release(self) -> str:
        """The version of Label Studio, for instance ``1.23.2``."""
        ...

    def backends(self, project_id: int) -> list[RemoteBackend]:
        """A project's ML backends; Label Studio asks each of them for its version before it answers."""
        ...

    def user(self) -> str:
        """The email address of the access token's owner."""
        ...

    def token_kind(self) -> str:
        """``personal access token`` or ``legacy token``."""
        ...

    def connect_backend(self, project_id: int, url: str, *, title: str, auth: tuple[str, str] | None) -> int:
        """Create the ML backend with this address, or update it; return its id.

        Raises `ServiceUnreachable` where Label Studio cannot call that address.
        """
        ...

    def describe_backend(self, project_id: int, backend: RemoteBackend, *, title: str, description: str) -> None:
        """Change the title and the description of an ML backend, and nothing else."""
        ...

    def test_backend(self, project_id: int, backend: RemoteBackend) -> None:
        """Let Label Studio call an ML backend, as it does before it saves one; the error says why it cannot."""
        ...

    def webhooks(self, project_id: int) -> list[RemoteWebhook]: ...

    def save_webhook(self, project_id: int, url: str, header: str | None) -> bool:
        """Make the project's webhook to ``url`` send every event with this Authorization header.

        Returns whether it was created; Label Studio itself would create it without a header.
        """
        ...

    def delete_webhook(self, project_id: int, url: str) -> None: ...

    def prepare_labelling(self, project_id: int, *, by_uncertainty: bool) -> None:
        """Show predictions to annotators, and, ``by_uncertainty``, the least certain task first."""
        ...


class LabelStudioAPI(Annotations, PredictionStore, Backends, Protocol):
    """All that the service calls."""

    def show_tab(self, project_id: int, title: str, *, version: str, until: datetime) -> None:
        """Create or update a tab of the project's Data Manager.

        It lists the tasks with a prediction of ``version`` that have not changed after ``until``, the latest change
        first.
        """
        ...


class TaskImport(Annotations, Protocol):
    """Bringing tasks, some with annotations, into a project."""

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        """Import tasks in Label Studio's JSON format; return their ids, in the same order.

        Raises `AnnotationsLost` when Label Studio created the tasks without their annotations.
        """
        ...

    def annotate(self, task_id: int, regions: Sequence[Mapping[str, Any]], *, ground_truth: bool = False) -> int:
        """Submit an annotation as the token's owner; return its id."""
        ...


class ProjectSetup(LabelStudioAPI, TaskImport, Protocol):
    """All that the demo calls: it makes a project and plays the annotator."""

    def create_project(self, title: str, label_config: str) -> RemoteProject: ...

    def find_project(self, title: str) -> RemoteProject | None:
        """The newest project with this title."""
        ...

    def unlabelled_tasks(self, project_id: int) -> list[UnlabelledTask]:
        """All that `unlabelled_pages` gives, in one list."""
        ...

    def count_predictions(self, project_id: int, version: str) -> tuple[int, int]:
        """``(unlabelled tasks with a prediction of this version, unlabelled tasks)``."""
        ...

    def start_training(self, backend_id: int) -> None:
        """Press "Start Training" of an ML backend."""
        ...
