"""How a version is trained: what the deployment's settings, the project and the run ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.errors import InvalidRequest
from backend.settings import Settings


class Overrides(BaseModel):
    """What a project (``extra_params`` of its ML backend in Label Studio) or one run may ask for; see `Recipe`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: float | None = Field(None, gt=0, le=1000)
    learning_rate: float | None = Field(None, gt=0, le=1)
    weight_decay: float | None = Field(None, ge=0, le=1)
    batch_size: int | None = Field(None, ge=1, le=4096)
    seed: int | None = Field(None, ge=0, lt=2**32)
    warm_start: bool | None = None

    def asked(self) -> dict[str, Any]:
        """Only what was asked for."""
        return self.model_dump(exclude_none=True)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a version is trained. ``None`` leaves a choice to the base model or to the number of documents.

    ``epochs`` are passes over the training documents, ``learning_rate`` is the peak of the head's and the top layer's,
    ``batch_size`` counts examples an optimiser step, over all devices. With ``warm_start`` training goes on from the
    current version instead of from ``base``.
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
        """The recipe of the deployment's environment variables, changed by each of ``overrides`` in turn.

        Raises `InvalidRequest` where one of them cannot be met.
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
        for each in overrides:
            recipe = replace(recipe, **checked(each or {}).asked())
        return recipe


def checked(overrides: Mapping[str, Any]) -> Overrides:
    """Overrides as they came from outside; `InvalidRequest` with a sentence on each that cannot be met."""
    try:
        return Overrides.model_validate(overrides)
    except ValidationError as error:
        problems = "; ".join(_sentence(problem) for problem in error.errors())
        raise InvalidRequest(f"Training parameters cannot be used: {problems}.") from None


def _sentence(problem: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{name} is not known, use {', '.join(Overrides.model_fields)}"
    message = str(problem["msg"])
    return f"{name}: {message[:1].lower()}{message[1:]}"
