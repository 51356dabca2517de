"""What a run starts from: the current version or the base model."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from backend.recipe import Recipe

log = logging.getLogger(__name__)


def continues_from(folder: Path, recipe: Recipe) -> bool:
    """Whether training continues from the version in ``folder`` (`Recipe.warm_start`), made from the same base model.

    Training continues from an imported version too, which has no base model.
    """
    if not recipe.warm_start:
        return False
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        log.warning("training starts from the base model: %s cannot be read: %s", folder, error)
        return False
    return "imported" in metrics or metrics["recipe"]["base"] == recipe.base
