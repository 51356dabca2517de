"""All expected errors, as one tree. A message is one sentence with the values and the remedy.

::

    BackendError
    ├── InvalidRequest            400  the caller sent something unusable
    │   ├── UnusableMapping            an old label cannot be read as the new one
    │   └── UnusableModel              a model that was trained elsewhere cannot be imported
    ├── TextUnavailable           400  a text that a task names by its address cannot be read
    ├── NotFound                  404
    │   ├── UnknownProject
    │   ├── ProjectReplaced
    │   ├── UnknownVersion
    │   ├── VersionPruned
    │   └── UnknownRun
    ├── Conflict                  409  the request does not fit the current state
    ├── SettingsError             500  an environment variable is missing or wrong
    ├── LabelStudioError          502
    │   ├── LabelStudioUnreachable
    │   ├── LabelStudioRefused
    │   ├── LabelStudioRejected
    │   ├── ServiceUnreachable
    │   └── AnnotationsLost
    ├── ModelError                500  a version's files are missing or damaged
    └── TrainingError             500  a run cannot produce a version
        ├── NotEnoughLabels
        ├── BaseModelUnavailable
        ├── DiskFull
        ├── OutOfMemory
        └── RunCancelled

``label_config.UnsupportedLabelConfig`` belongs to the label configuration and is answered like ``InvalidRequest``.
"""

from __future__ import annotations

from collections.abc import Iterator


class BackendError(Exception):
    """An error that this service explains to its user. ``status`` is the HTTP status of the answer."""

    status = 500


class InvalidRequest(BackendError):
    status = 400


class UnusableMapping(InvalidRequest):
    pass


class UnusableModel(InvalidRequest):
    pass


class TextUnavailable(BackendError):
    status = 400


class TextDelayed(TextUnavailable):
    """The text did not arrive, or its server failed: it may be there later."""


class NotFound(BackendError):
    status = 404


class UnknownProject(NotFound):
    def __init__(self, project: str) -> None:
        number = project.partition(".")[0]
        super().__init__(
            f"Project {project!r} is not connected to this service: connect it in Label Studio (Settings → Model) "
            f"or with `python -m backend connect --project {number if number.isdecimal() else 'ID'}`."
        )


class ProjectReplaced(NotFound):
    """Label Studio has given a project's number to another project."""

    def __init__(self, uid: str, other: str) -> None:
        number = uid.partition(".")[0]
        super().__init__(
            f"Project {number} in Label Studio is not the one this model was trained for (it is {other}, the model "
            f"belongs to {uid}): connect it again with `python -m backend connect --project {number}`."
        )


class UnknownVersion(NotFound):
    def __init__(self, project: str, version: str, existing: list[str]) -> None:
        names = ", ".join(existing) if existing else "none yet"
        super().__init__(f"Project {project!r} has no model version {version!r}; it has: {names}.")


class VersionPruned(NotFound):
    def __init__(self, version: str, usable: list[str]) -> None:
        remedy = f"use {' or '.join(usable)}, or train a new one" if usable else "train a new one"
        super().__init__(f"The files of model version {version!r} were removed to save space: {remedy}.")


class UnknownRun(NotFound):
    def __init__(self, run: str) -> None:
        super().__init__(f"There is no training run {run!r}: `python -m backend runs` lists them.")


class Conflict(BackendError):
    status = 409


class SettingsError(BackendError):
    pass


class LabelStudioError(BackendError):
    status = 502


class LabelStudioUnreachable(LabelStudioError):
    pass


class LabelStudioRefused(LabelStudioError):
    pass


class LabelStudioRejected(LabelStudioError):
    """Label Studio rejected the payload; nothing was stored."""


class ServiceUnreachable(LabelStudioError):
    """Label Studio cannot call this service, or this service refuses its requests."""


class AnnotationsLost(LabelStudioError):
    """An import created ``tasks`` (ids in the order sent; empty where unknown) without all of their annotations."""

    def __init__(self, project_id: int, tasks: list[int], *, created: int, lost: int, sent: int) -> None:
        self.tasks = tasks
        super().__init__(
            f"Label Studio imported {created} tasks into project {project_id} but lost {lost} of their {sent} "
            "annotations (this happens while others annotate): "
            "delete these tasks in Label Studio and import them again."
        )


class ModelError(BackendError):
    pass


class TrainingError(BackendError):
    pass


class NotEnoughLabels(TrainingError):
    pass


class BaseModelUnavailable(TrainingError):
    pass


class DiskFull(TrainingError):
    pass


class OutOfMemory(TrainingError):
    pass


class RunCancelled(TrainingError):
    pass


def error_of_kind(kind: str, sentence: str) -> BackendError:
    """Rebuild an error that another process reported by its class name and its sentence.

    ``UnsupportedLabelConfig`` becomes an `InvalidRequest`, an unknown name a plain `BackendError`.
    """
    classes = {cls.__name__: cls for cls in _tree(BackendError)} | {"UnsupportedLabelConfig": InvalidRequest}
    cls = classes.get(kind, BackendError)
    error = cls.__new__(cls)
    Exception.__init__(error, sentence)  # past constructors that compose the sentence from values
    return error


def _tree(cls: type[BackendError]) -> Iterator[type[BackendError]]:
    yield cls
    for subclass in cls.__subclasses__():
        yield from _tree(subclass)
