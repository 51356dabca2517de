"""Everything that can go wrong, as one tree. A message is one sentence with the values and the remedy.

::

    BackendError
    ├── InvalidRequest            400  the caller sent something unusable
    ├── NotFound                  404
    │   ├── UnknownProject
    │   ├── ProjectReplaced
    │   ├── UnknownVersion
    │   ├── VersionPruned
    │   └── UnknownRun
    ├── Conflict                  409  what is asked for does not fit what is there
    ├── SettingsError             500  an environment variable is missing or wrong
    ├── LabelStudioError          502
    │   ├── LabelStudioUnreachable
    │   ├── LabelStudioRefused
    │   └── LabelStudioRejected
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


class BackendError(Exception):
    """Any failure this service explains to its user. ``status`` is the HTTP status a door answers with."""

    status = 500


class InvalidRequest(BackendError):
    status = 400


class NotFound(BackendError):
    status = 404


class UnknownProject(NotFound):
    def __init__(self, project: str) -> None:
        super().__init__(
            f"Project {project!r} is unknown here: connect the backend to it in Label Studio "
            "(Settings → Model) or with `python -m backend connect --project ID`."
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
    def __init__(self, project: str, version: str, known: list[str]) -> None:
        have = ", ".join(known) if known else "none yet"
        super().__init__(f"Project {project!r} has no model version {version!r}; it has: {have}.")


class VersionPruned(NotFound):
    def __init__(self, version: str, usable: list[str]) -> None:
        have = f"use {' or '.join(usable)}, or train a new one" if usable else "train a new one"
        super().__init__(f"The files of model version {version!r} were removed to save space: {have}.")


class UnknownRun(NotFound):
    def __init__(self, run: str) -> None:
        super().__init__(f"There is no training run {run!r}: give the id that was answered when it was queued.")


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
    """What was sent cannot be stored as it is; nothing of it was."""


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
