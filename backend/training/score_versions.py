"""Scores a project's versions on a run's held-out tasks, so that all are compared on the same tasks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from backend.errors import ModelError
from backend.evaluation.comparison import disagreements, to_rows
from backend.evaluation.evaluate import Metrics, predict_tags, score_documents
from backend.evaluation.gate import GateDecision
from backend.registry import Registry
from backend.store.models import Comparison, Run, Version
from backend.training.build import BuiltVersion, Progress
from label_config import LabelConfig

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ScoredVersion:
    """A version's predicted BIO tags of the held-out documents, and their scores."""

    tags: Sequence[Sequence[str]]
    metrics: Metrics


def score_versions(
    registry: Registry, versions: Sequence[Version], built: BuiltVersion, config: LabelConfig, progress: Progress
) -> dict[str, ScoredVersion]:
    """Score versions on the test set of a version that was built, by name; none where no held-out task has a region.

    Those whose files are gone or cannot be opened are left out. ``config`` says which names their labels have today.
    One version after the other is opened, so memory holds one.
    """
    scored: dict[str, ScoredVersion] = {}
    if not built.metrics or not built.metrics.support:
        return scored
    for number, version in enumerate(versions):
        progress("comparing", number / len(versions))
        try:
            tagger = registry.open(version.project, version.name)
        except ModelError as error:
            log.warning("%s is not compared with the new version: %s", version.name, error)
            continue
        names = {label: config.label_named(label) for label in version.labels}
        tags = predict_tags(tagger, built.test, names=names)
        metrics = score_documents(built.test, tags)
        if metrics:
            scored[version.name] = ScoredVersion(tags, metrics)
    return scored


class ScoreOutcome(TypedDict):
    """The part of `backend.store.runs.Outcome` that comes from scores; both are ``None`` where nothing was measured."""

    promote: bool
    scores: dict[str, dict[str, Any]] | None
    comparison: Comparison | None


def outcome_of(
    decision: GateDecision, run: Run, built: BuiltVersion, others: Mapping[str, ScoredVersion], *, current: str | None
) -> ScoreOutcome:
    """What a run writes: the gate's decision, the scores of the other versions, and where all versions disagree.

    Held-out tasks without regions, or most of whose regions were lost, measure nothing: earlier scores then stay.
    """
    measured = built.metrics is not None and built.metrics.support and decision.rule != "lost_held_out_regions"
    if not measured:
        return {"promote": decision.promote, "scores": None, "comparison": None}
    first = {current: others[current]} if current and current in others else {}
    tags = {built.info["name"]: built.predicted} | {
        name: scored.tags for name, scored in (first | dict(others)).items()
    }
    entities, left_out = disagreements(built.test, tags)
    comparison = Comparison(
        project=run.project, run=run.id, versions=list(tags), entities=to_rows(entities), left_out=left_out
    )
    scores = {name: scored.metrics.to_dict() for name, scored in others.items()}
    return {"promote": decision.promote, "scores": scores, "comparison": comparison}
