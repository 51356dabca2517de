"""Predictions for tasks: their texts, the regions that a model finds in these, and one score a task.

A task has one text for each labelled ``<Text>`` of the configuration, and one prediction for all of them. Live
predictions and those that a sync stores are made here, so that they are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from backend.errors import TextDelayed, TextUnavailable
from backend.inference.suggest import suggest
from backend.inference.tagger import OfferedLabels, Tagging
from converters import LoadText, Span, TextNotLoaded, task_regions, task_texts
from label_config import LabelConfig


class TextTagger(Protocol):
    """What predictions need of a `Tagger`."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    def tag_parts(self, texts: Sequence[str], labels: OfferedLabels | None = None) -> Iterator[list[Tagging]]: ...


class UntrainedTagger:
    """Finds nothing, with score 0: for a project without a version, and for suggestions without a model's."""

    labels: tuple[str, ...] = ()

    def tag_parts(self, texts: Sequence[str], labels: OfferedLabels | None = None) -> Iterator[list[Tagging]]:  # noqa: ARG002
        yield [Tagging(spans=(), score=0.0) for _ in texts]


class TaskPrediction(NamedTuple):
    """The prediction for one task: ``regions`` in Label Studio's result format, ``score`` in [0, 1].

    ``score`` is that of the text of which the model is least sure, since a task is worth labelling for any one of its
    texts. A text that is empty or missing counts as sure (1.0): there is nothing to label.
    """

    regions: list[dict[str, Any]]
    score: float


@dataclass(frozen=True, slots=True)
class TaskTexts:
    """The texts of some tasks.

    ``texts`` are those of the first task, in the order of the configuration, then those of the second, and so on;
    ``None`` where a task lacks a text. ``unavailable`` says of tasks, by their index, why a text could not be loaded:
    such a task has no texts. Those in ``delayed`` may be loaded later.
    """

    config: LabelConfig
    texts: list[str | None]
    unavailable: dict[int, str] = field(default_factory=dict)
    delayed: frozenset[int] = frozenset()

    @property
    def without_text(self) -> list[int]:
        """The indices of the tasks that have no text at all."""
        step = len(self.config.texts)
        starts = range(0, len(self.texts), step)
        return [start // step for start in starts if self.texts[start : start + step].count(None) == step]

    def offered(self, labels: Collection[str]) -> OfferedLabels | None:
        """Which of a model's ``labels`` may be found in each text; ``None`` where all may be found in each.

        A label that only other texts offer is not possible. One that no text offers any more is: its regions are left
        out afterwards, and do not become regions of another label.
        """
        gone = [label for label in labels if self.config.label_named(label) is None]
        of_each: list[tuple[str, ...] | None] = []
        for text in self.config.texts:
            offered = tuple(label for label in labels if label in gone or text.label_named(label) is not None)
            of_each.append(None if len(offered) == len(labels) else offered)
        is_restricted = any(offered is not None for offered in of_each)
        return of_each * (len(self.texts) // len(of_each)) if is_restricted else None


def read_texts(tasks: Iterable[Any], config: LabelConfig, *, load: LoadText | None = None) -> TaskTexts:
    """Read the texts of tasks as Label Studio's editor shows them; ``load`` reads those that are addresses.

    Tasks may be any JSON values. A task of which ``load`` cannot read a text (`TextNotLoaded`, `TextUnavailable`) has
    no texts.
    """
    texts: list[str | None] = []
    unavailable: dict[int, str] = {}
    delayed: set[int] = set()
    missing = [None] * len(config.texts)
    for number, task in enumerate(tasks):
        try:
            texts += task_texts(task, config, load=load) if isinstance(task, dict) else missing
        except (TextNotLoaded, TextUnavailable) as error:
            texts += missing
            unavailable[number] = str(error)
            if isinstance(error, TextDelayed):
                delayed.add(number)
    return TaskTexts(config, texts, unavailable, frozenset(delayed))


def predict_tasks(
    tagger: TextTagger, tasks: TaskTexts, *, marked: Sequence[Sequence[Span]] = ()
) -> Iterator[list[TaskPrediction]]:
    """One prediction for each task, in order, a part at a time; no part is empty.

    ``marked`` are the regions that an annotator has just drawn on each text of the only task: where there are any, the
    same words elsewhere in that text are predicted too (`suggest`). For these words alone, give an `UntrainedTagger`.
    """
    # An empty text costs the model nothing.
    parts = tagger.tag_parts([text or "" for text in tasks.texts], tasks.offered(tagger.labels))
    if any(marked):
        taggings = [tagging for part in parts for tagging in part]
        parts = iter([_with_suggestions(tasks.texts, taggings, marked)])
    return _predictions(tasks, parts)


def _with_suggestions(
    texts: Sequence[str | None], taggings: Sequence[Tagging], marked: Sequence[Sequence[Span]]
) -> list[Tagging]:
    return [
        replace(tagging, spans=suggest(text, spans, tagging.spans)) if text and spans else tagging
        for text, tagging, spans in zip(texts, taggings, marked, strict=True)
    ]


def _predictions(tasks: TaskTexts, parts: Iterable[list[Tagging]]) -> Iterator[list[TaskPrediction]]:
    """A part of taggings may end between two texts of a task: the rest of the task comes with the next part."""
    step, texts = len(tasks.config.texts), iter(tasks.texts)
    waiting: list[Tagging] = []
    for part in parts:
        waiting += part
        complete = len(waiting) - len(waiting) % step
        predictions = []
        for start in range(0, complete, step):
            taggings = waiting[start : start + step]
            of_task = [next(texts) for _ in taggings]
            regions = task_regions(of_task, _renamed(taggings, tasks.config), tasks.config)
            predictions.append(TaskPrediction(regions, min(tagging.score for tagging in taggings)))
        del waiting[:complete]
        if predictions:
            yield predictions


def _renamed(taggings: Sequence[Tagging], config: LabelConfig) -> list[Sequence[Span]]:
    """The spans on each text, with the names that its labels have in the configuration today."""
    return [
        tagging.spans
        if all(text.control_of(span.label) for span in tagging.spans)
        else [replace(span, label=text.label_named(span.label) or span.label) for span in tagging.spans]
        for text, tagging in zip(config.texts, taggings, strict=True)
    ]
