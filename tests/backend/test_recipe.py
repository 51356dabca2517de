from __future__ import annotations

from typing import Any

import pytest

from backend.errors import InvalidRequest
from backend.recipe import Recipe, parse_overrides
from backend.settings import load_settings

SETTINGS = load_settings(
    _env_file=None, baseline_model_name="embedded", learning_rate=1e-4, num_train_epochs=2, train_seed=5
)


def test_recipe_comes_from_the_settings() -> None:
    assert Recipe.from_settings(SETTINGS) == Recipe(
        base="embedded", learning_rate=1e-4, epochs=2, weight_decay=0.01, batch_size=32, seed=5, warm_start=True
    )


def test_later_overrides_win_and_other_parameters_stay() -> None:
    recipe = Recipe.from_settings(SETTINGS, {"epochs": 7, "seed": 1}, None, {"epochs": 9, "warm_start": False})
    assert (recipe.epochs, recipe.seed, recipe.warm_start, recipe.learning_rate) == (9, 1, False, 1e-4)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"epochs": -1}, "epochs: input should be greater than 0"),
        ({"learning_rate": 3}, "learning_rate: input should be less than or equal to 1"),
        ({"batch_size": 2.5}, "batch_size: input should be a valid integer"),
        ({"seed": 2**32}, "seed: input should be less than"),
        (
            {"base": "bert"},
            "base is not a training parameter, use epochs, learning_rate, weight_decay, batch_size, seed, warm_start",
        ),
        ({"epochs": "many", "seed": -1}, "; seed: input should be greater than or equal to 0"),
    ],
)
def test_invalid_overrides_are_named(overrides: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRequest, match="The training parameters are not valid") as caught:
        parse_overrides(overrides)
    assert sentence in str(caught.value)
