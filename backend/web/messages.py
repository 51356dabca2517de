"""The request bodies of Label Studio, with the fields this service uses; examples are in ``tests/traffic``."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from backend.errors import InvalidRequest

Body = TypeVar("Body", bound="Message")


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("it contains a NUL character")
    value.encode()  # a lone surrogate raises a ValueError
    return value


Text = Annotated[str, AfterValidator(_storable)]
"""A string that every database can store."""

Id = Annotated[int, Field(ge=0, lt=2**63)]


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ProjectName = Annotated[Text, BeforeValidator(_number_as_text)]
"""A project's uid (``"7.1795221978"``), or its number alone, as text or as an integer."""


class Message(BaseModel):
    """A request body; fields not named here are ignored."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())


class Setup(Message):
    project: ProjectName = Field(min_length=1)
    label_config: str = Field(alias="schema")
    hostname: str | None = None
    access_token: Text | None = None
    extra_params: Any = None

    @property
    def overrides(self) -> dict[str, Any]:
        """The training parameters in ``extra_params``; the form in Label Studio sends its text unparsed."""
        params = self.extra_params or {}
        if isinstance(params, str):
            try:
                params = orjson.loads(params) if params.strip() else {}
            except orjson.JSONDecodeError:
                params = None
        if not isinstance(params, dict):
            raise InvalidRequest('extra_params must be a JSON object, for example {"epochs": 5}.')
        return params


class Predict(Message):
    tasks: list[Any] = Field(min_length=1)
    project: ProjectName | None = None
    label_config: str | None = None
    model_version: Text | None = None
    params: Any = None

    @property
    def marked(self) -> list[Any] | None:
        """The regions that the annotator has just marked, in an interactive request; ``None`` in any other."""
        context = self.params.get("context") if isinstance(self.params, dict) else None
        result = context.get("result") if isinstance(context, dict) else None
        return result if isinstance(result, list) and len(self.tasks) == 1 else None


class ProjectInfo(Message):
    """The project in the body of a webhook; label-studio-ml needs only its ``id`` and ``label_config``."""

    id: Id
    created_at: AwareDatetime | None = None
    title: Text | None = None
    label_config: Text | None = None
    min_annotations_to_start_training: int | None = Field(None, ge=0, lt=2**31)
    total_annotations_number: int = 0
    skipped_annotations_number: int = 0

    @property
    def name(self) -> str:
        """The project's uid, as `/setup` and `/predict` send it; without ``created_at`` its number alone."""
        return f"{self.id}.{int(self.created_at.timestamp())}" if self.created_at else str(self.id)


class AnnotationInfo(Message):
    id: Id
    task: Id | None = None
    ground_truth: bool = False
    was_cancelled: bool = False


class TaskInfo(Message):
    id: Id
    total_annotations: int = 0

    @property
    def labelled(self) -> bool:
        return self.total_annotations > 0


class Event(Message):
    """The field that every webhook has, also one with an unknown action."""

    action: str = Field(min_length=1)


class Webhook(Event):
    project: ProjectInfo | None = None
    annotation: AnnotationInfo | None = None
    annotations: list[AnnotationInfo] = []
    tasks: list[TaskInfo] = []

    @property
    def saved(self) -> list[AnnotationInfo]:
        return [self.annotation] if self.annotation else self.annotations

    @property
    def sent_start(self) -> bool:
        """Whether Label Studio sent START_TRAINING just before: not of ground truth, and with every n-th annotation."""
        project = self.project
        every = project.min_annotations_to_start_training if project else None
        if project is None or not every or all(annotation.ground_truth for annotation in self.saved):
            return False
        return (project.total_annotations_number + project.skipped_annotations_number) % every == 0


class Train(Message):
    project: ProjectName = Field(min_length=1)
    label_config: str | None = None


class JobStatus(Message):
    job: Text = Field(min_length=1)


class Versions(Message):
    project: ProjectName | None = None


def parse(kind: type[Body], raw: bytes) -> Body:
    """Read a JSON body; raise `InvalidRequest` with one sentence that names the field and the remedy.

    Lone surrogates are accepted: one such text must not fail the other tasks of its request.
    """
    try:
        body = _read(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"The body is not JSON ({error}): send a JSON object.") from None
    return validate(kind, body)


def validate(kind: type[Body], body: object) -> Body:
    """Read a body that is no longer JSON text; raises as `parse` does."""
    if not isinstance(body, dict):
        raise InvalidRequest(f"The body is a JSON {type(body).__name__}: send a JSON object.")
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        raise InvalidRequest(f"Field `{field}`: {_lower(problem['msg'])}. {_remedy(kind, field)}") from None


def _read(raw: bytes) -> object:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return json.loads(raw)  # accepts lone surrogates, and its error messages are better


def to_json(value: object) -> bytes:
    """Write JSON in UTF-8; a text with lone surrogates, which UTF-8 cannot encode, is escaped as ASCII."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


_REMEDIES = {
    "tasks": "Send `tasks`, a list of Label Studio tasks with at least one element.",
    "project": 'Send the project as Label Studio names it, for example "7.1795221978".',
    "schema": "Send the labelling configuration's XML.",
    "label_config": "Send the labelling configuration's XML.",
    "job": "Send the id of a training run.",
    "action": "Send the name of a Label Studio webhook action.",
}


def _remedy(kind: type[Message], field: str) -> str:
    if kind is Webhook and field != "action":
        return "Send the event as Label Studio's webhooks do."
    return _REMEDIES.get(field.partition(".")[0], "Send what Label Studio sends.")


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
