from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.backend.imported.models import IOB2, save_classifier

SENTENCES = tuple(
    f"{dish} for {people} people near {place} under {price} dollars"
    for dish in ("pad thai", "ramen", "crêpes", "spicy tofu soup", "chicken tikka masala")
    for place in ("Boston", "the harbour", "São Paulo", "Kyoto Station")
    for people, price in ((2, 30), (15, 100))
)

Save = Callable[..., Path]


@pytest.fixture(scope="session")
def classifier_of(tmp_path_factory: pytest.TempPathFactory) -> Save:
    """The folder of a small classifier of a family, made once."""
    made: dict[tuple[str, tuple[str, ...]], Path] = {}

    def classifier_of(family: str = "WordPiece", tags: Sequence[str] = IOB2) -> Path:
        key = family, tuple(tags)
        if key not in made:
            made[key] = save_classifier(tmp_path_factory.mktemp("classifier") / "model", family, SENTENCES, tags=tags)
        return made[key]

    return classifier_of
