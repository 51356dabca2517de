"""What the backend asks of Label Studio, in plain values: the types of the answers, and the calls as a `Protocol`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


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


class Page(NamedTuple):
    """Some of a project's unlabelled tasks, by ascending id, and how many there were from the first of them on."""

    tasks: list[OpenTask]
    left: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """One stored pre-label: ``regions`` in Label Studio's result format, ``score`` in [0, 1].

    ``mislabeling`` is how probably the task's labels are wrong, in [0, 1].
    """

    task: int
    regions: list[dict[str, Any]]
    score: float
    version: str
    mislabeling: float = 0.0


@dataclass(frozen=True, slots=True)
class RemoteBackend:
    """An ML backend of a project; ``model_version`` is what it answered last."""

    id: int
    url: str
    title: str
    description: str
    model_version: str
    auth_method: str
    basic_auth_user: str
    extra_params: Any
