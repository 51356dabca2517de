"""Rewrites stored predictions that are out of date: those of phrases, whose name stays when the phrases change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from backend.inference.tasks import TextTagger
from backend.label_studio.api import PredictionStore, UnlabelledTask
from backend.label_studio.sync import predict_parts
from converters import LoadText
from label_config import LabelConfig

log = logging.getLogger(__name__)


def rewrite_predictions(
    label_studio: PredictionStore,
    project_id: int,
    *,
    version: str,
    tagger: TextTagger,
    config: LabelConfig,
    load: LoadText | None = None,
    keep_going: Callable[[], bool],
) -> int | None:
    """Predict unlabelled tasks with a prediction of ``version`` anew, and replace those with other regions now.

    Returns how many were replaced, ``None`` where ``keep_going``, which is called before each, stopped it. Scores
    alone are no reason: they change with almost every label.
    """
    replaced = 0
    for page in label_studio.stored_predictions(project_id, version):
        tasks = [UnlabelledTask(stored.task, stored.data, frozenset({version})) for stored in page]
        parts = predict_parts(tasks, version=version, tagger=tagger, config=config, load=load)
        today = {prediction.task: prediction for part in parts for prediction in part}
        for stored in page:
            prediction = today.get(stored.task)
            if prediction is None or _places(prediction.regions) == _places(stored.regions):
                continue
            if not keep_going():
                return None
            label_studio.replace_prediction(stored.id, prediction)
            replaced += 1
    log.info("project %s: %s predictions of %s replaced", project_id, replaced, version)
    return replaced


def _places(regions: Iterable[Mapping[str, Any]]) -> set[tuple[Any, ...]]:
    """What annotators see of regions: text, place and labels."""
    return {(region["to_name"], region["from_name"], *_place(region["value"])) for region in regions}


def _place(value: Mapping[str, Any]) -> Sequence[Any]:
    return value["start"], value["end"], tuple(value["labels"])
