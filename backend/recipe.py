"""The training parameters of a version: from the deployment's settings, overridden by the project and the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.errors import InvalidRequest
from backend.settings import Settings


class Overrides(BaseModel):
    """Parameters that a project (``extra_params`` of its ML backend in Label Studio) or a run may set; see `Recipe`.

    ``label_map`` is none of the recipe: it belongs to the project (`backend.store.models.Project.renamed_labels`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: float | None = Field(None, gt=0, le=1000)
    learning_rate: float | None = Field(None, gt=0, le=1)
    weight_decay: float | None = Field(None, ge=0, le=1)
    batch_size: int | None = Field(None, ge=1, le=4096)
    seed: int | None = Field(None, ge=0, lt=2**32)
    warm_start: bool | None = None
    label_map: dict[str, str] | None = Field(None, exclude=True)

    def to_dict(self) -> dict[str, Any]:
        """Only the parameters of the recipe that are set."""
        return self.model_dump(exclude_none=True)


@dataclass(frozen=True, slots=True)
class Recipe:
    """The training parameters of a version.

    ``learning_rate`` is the peak of the head's; ``None`` means a default for the base model. ``epochs`` is the number
    of passes over the training documents; ``None`` means a default for their number. ``batch_size`` is the number of
    examples in an optimiser step, over all devices. With ``warm_start`` training continues from the current version
    instead of starting from ``base``.
    """

    base: str
    learning_rate: float | None = None
    epochs: float | None = None
    weight_decay: float = 0.01
    batch_size: int = 32
    seed: int = 42
    warm_start: bool = True

    @classmethod
    def from_settings(cls, settings: Settings, *overrides: Mapping[str, Any] | None) -> Recipe:
        """The recipe of the deployment's environment variables, with ``overrides`` applied in order.

        Raises `InvalidRequest` if one of them is not valid.
        """
        recipe = cls(
            base=settings.baseline_model_name,
            learning_rate=settings.learning_rate,
            epochs=settings.num_train_epochs,
            weight_decay=settings.weight_decay,
            batch_size=settings.train_batch_size,
            seed=settings.train_seed,
            warm_start=settings.warm_start,
        )
        for parameters in overrides:
            recipe = replace(recipe, **parse_overrides(parameters or {}).to_dict())
        return recipe


def parse_overrides(overrides: Mapping[str, Any]) -> Overrides:
    """Validate overrides from outside; raises `InvalidRequest`, which names each parameter that is not valid."""
    try:
        return Overrides.model_validate(overrides)
    except ValidationError as error:
        problems = "; ".join(_sentence(problem) for problem in error.errors())
        raise InvalidRequest(f"The training parameters are not valid: {problems}.") from None


def _sentence(problem: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{name} is not a training parameter, use {', '.join(Overrides.model_fields)}"
    message = str(problem["msg"])
    return f"{name}: {message[:1].lower()}{message[1:]}"
