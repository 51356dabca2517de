"""Writes the model card (``README.md``) of a version: its data, scores, training and limits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from backend.conversion import Conversion, count
from backend.evaluation.evaluate import Metrics
from backend.scores import (
    HELD_OUT_TASK,
    MIN_DOCUMENTS_OF_LABEL,
    TEXT,
    Interval,
    LabelScore,
    Score,
    held_out_tasks,
    label_scores,
    rounded,
    shown,
    shown_interval,
)
from backend.training.base_model.embedded import PACKAGE

_TEMPLATE = Path(__file__).with_name("model_card.md.jinja")
_IMPORTED_TEMPLATE = Path(__file__).with_name("imported_card.md.jinja")

_MOST_MISTAKES = 6
"""Kinds of mistakes that a card names, the most frequent ones."""

_MIN_MISTAKES = 2
"""How often a mistake must occur to be named: a single one may be an error of the annotator."""


def model_card(info: Mapping[str, Any], *, validation: Metrics | None, test: Metrics | None) -> str:
    """Write a version's model card: YAML metadata as the Hugging Face Hub reads it, then Markdown.

    ``info`` is what ``metrics.json`` records besides the scores. Format:
    https://huggingface.co/docs/hub/model-cards
    """
    files: Mapping[str, str] = info.get("files") or {}
    unit = TEXT if files else "task"
    card = ModelCard.from_template(
        _metadata(info, test),
        template_path=str(_TEMPLATE),
        info=info,
        recipe=info["recipe"],
        training=info["training"],
        origin=_origin(info["recipe"]["base"]),
        unit=unit,
        source=_source(files),
        sets=_sets(files),
        test=_Evaluation.of(test, unit),
        validation=_Evaluation.of(validation, unit),
        mistakes=_frequent_mistakes(test) if test else [],
        rare=_rare_labels(test) if test else "",
        conversion=_conversion(info.get("conversion")),
        snapshot=_snapshot(info["counts"], info.get("conversion"), unit),
        evaluations=sum(1 for step in info["training"]["evaluation_steps"] if step["validation"]),
        seconds=sum(info["seconds"].values()),
        code=_code,
        count=count,
    )
    return str(card)


def imported_model_card(info: Mapping[str, Any], *, test: Metrics | None) -> str:
    """Write the model card of a version that was imported; ``info`` as for `model_card`, with ``imported``."""
    source = info["imported"]["source"]
    card = ModelCard.from_template(
        _card_data(source),
        template_path=str(_IMPORTED_TEMPLATE),
        info=info,
        source=_code(source),
        test=_Evaluation.of(test, "task"),
        cell=_cell,
    )
    return str(card)


def _metadata(info: Mapping[str, Any], test: Metrics | None) -> ModelCardData:
    """For the head of the file. A score that is unknown has no entry in the model index."""
    files: Mapping[str, str] = info.get("files") or {}
    results = _results(files, test) if test and _score(test).f1 is not None else None
    base = info["recipe"]["base"]
    return _card_data(base, from_files=bool(files), model_name=info["name"] if results else None, eval_results=results)


def _card_data(base: str, *, from_files: bool = False, **scores: Any) -> ModelCardData:
    return ModelCardData(
        library_name="transformers",
        pipeline_tag="token-classification",
        tags=["token-classification", "named-entity-recognition", *([] if from_files else ["label-studio"]), "onnx"],
        base_model=_base_model(base),
        **scores,
    )


def _base_model(base: str) -> str | None:
    """Its name on the hub; ``None`` for a local folder."""
    if base == "embedded":
        return "sentence-transformers/all-MiniLM-L6-v2"
    return None if base.startswith((".", "/", "~")) else base


def _results(files: Mapping[str, str], test: Metrics) -> list[EvalResult]:
    data, unit = (files["test"], TEXT) if files else ("Label Studio project", HELD_OUT_TASK)
    return [
        EvalResult(
            task_type="token-classification",
            dataset_type="private",
            dataset_name=f"{data} ({held_out_tasks(test.documents, unit)})",
            dataset_split="test",
            metric_type=metric,
            metric_value=rounded(getattr(test, metric)),
        )
        for metric in ("precision", "recall", "f1")
    ]


def _source(files: Mapping[str, str]) -> str:
    """Where the labels come from."""
    if not files:
        return "the annotations of a Label Studio project"
    names = [_code(name) for name in dict.fromkeys(files.values())]
    return (
        f"the file{'s' * (len(names) > 1)} {' and '.join(names)}" if len(names) < 3 else f"the files {', '.join(names)}"
    )


def _sets(files: Mapping[str, str]) -> str:
    """How the texts were divided into sets."""
    if not files:
        return "A hash of a task's id decides which set it belongs to, so it never changes sets between versions."
    held_out = [name for name in ("validation", "test") if files[name] == files["train"]]
    sets = [f"The {name} set is {_code(files[name])}." for name in ("validation", "test") if name not in held_out]
    if held_out:
        sets.insert(0, f"A hash of a text's id decides what of {_code(files['train'])} is in which set.")
    return " ".join(sets)


def _origin(base: str) -> str:
    return f"all-MiniLM-L6-v2, as packaged in `{PACKAGE}`" if base == "embedded" else _code(base)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table of scores, formatted."""

    name: str
    precision: str
    recall: str
    f1: str
    interval: str
    regions: int


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """What the card says of the scores on one set of tasks; ``unknown`` is the reason where they are unknown."""

    sentence: str
    unknown: str | None
    table: list[_Row]

    @classmethod
    def of(cls, metrics: Metrics | None, unit: str) -> _Evaluation:
        score = _score(metrics, TEXT if unit == TEXT else HELD_OUT_TASK)
        if metrics is None:
            return cls(f"F1 unknown: no {unit} is in this set.", score.unknown, [])
        if not metrics.support:
            return cls(f"{score.sentence}.", score.unknown, [])
        return cls(_sentence(metrics, score), score.unknown, list(_table(metrics, score, unit)))


def _conversion(values: Mapping[str, Any] | None) -> str:
    """How many of the regions that people drew the model has learnt from, and why not all."""
    if values is None:
        return ""
    conversion = Conversion.from_dict(values)
    used = f"Of what people labelled, {conversion.summary}."
    lost = "; ".join(conversion.loss_sentences())
    return " ".join([used, *([f"Not learnt: {_escaped(lost)}."] if lost else [])])


def _snapshot(counts: Mapping[str, Any], values: Mapping[str, Any] | None, unit: str) -> str:
    """What ``snapshot.conll`` contains, and what it lacks."""
    conversion = Conversion.from_dict(values) if values else Conversion()
    unread = conversion.total.tasks - conversion.total.tasks_used
    lacks = [f"{count(unread, 'task')} that could not be read"] if unread else []
    if conversion.texts_left_out > unread:  # else they are those tasks, where a task has one text
        lacks.append(f"{count(conversion.texts_left_out, 'text')} with a region that could not be read")
    if counts["incomplete"]:
        lacks.append(f"{count(counts['incomplete'], 'text')} in which not every word's tag is known")
    if not lacks:
        return f"all {unit}s"
    tasks = f" of {count(conversion.total.tasks, 'labelled task')}" if values else ""
    return f"{count(counts['complete'], 'text')}{tasks}. It lacks {', '.join(lacks)}"


def _escaped(text: str) -> str:
    """Plain text in Markdown: labels may hold characters that format it."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text)


def _score(metrics: Metrics | None, unit: str = HELD_OUT_TASK) -> Score:
    return Score.from_metrics(metrics.to_dict() if metrics else {}, unit=unit)


def _sentence(metrics: Metrics, score: Score) -> str:
    intervals = metrics.intervals
    if score.f1 is None or intervals is None:
        return f"{score.sentence}."
    if intervals.f1 is None:
        return f"{score.sentence}; fewer than {MIN_DOCUMENTS_OF_LABEL} of them have regions, too few for an interval."
    precision = f"precision {shown(metrics.precision)}{_in_brackets(intervals.precision)}"
    return f"{score.sentence}; {precision}, recall {shown(metrics.recall)}{_in_brackets(intervals.recall)}."


def _in_brackets(interval: Interval | None) -> str:
    return f" (95 %: {shown_interval(interval)})" if interval else ""


def _table(metrics: Metrics, score: Score, unit: str) -> Iterator[_Row]:
    """Scores of all labels together and of each; those that are unknown are counts."""
    known = score.f1 is not None
    precision, recall = (shown(figure if known else None) for figure in (metrics.precision, metrics.recall))
    yield _Row("all", precision, recall, shown(score.f1), _range(score.interval, unit), metrics.support)
    for label, row in label_scores(metrics.to_dict()).items():
        yield _label_row(_cell(label), row, unit)


def _label_row(name: str, row: LabelScore, unit: str) -> _Row:
    f1 = row.counts if row.f1 is None else shown(row.f1)
    return _Row(name, shown(row.precision), shown(row.recall), f1, _range(row.interval, unit), row.regions)


def _range(interval: Interval | None, unit: str) -> str:
    return shown_interval(interval) or f"too few {unit}s"


def _frequent_mistakes(test: Metrics) -> list[str]:
    repeated = [mistake for mistake in _mistakes(test) if mistake[0] >= _MIN_MISTAKES]
    return [text for _, text in sorted(repeated, key=lambda mistake: -mistake[0])[:_MOST_MISTAKES]]


def _mistakes(metrics: Metrics) -> Iterator[tuple[int, str]]:
    """Every kind of mistake: how often it occurred, possibly never, and a line about it."""
    confusion = metrics.confusion
    for label, row in metrics.per_label.items():
        name, regions = _code(label), count(row.support, "region")
        for other, number in confusion.found_as.get(label, {}).items():
            if other != label:
                yield number, f"{name} was labelled {_code(other)}: {number} of {regions}"
        number = confusion.boundaries.get(label, 0)
        yield number, f"{name} was found with other boundaries: {number} of {regions}"
        number = confusion.missed.get(label, 0)
        yield number, f"{name} was missed: {number} of {regions}"
        number = confusion.spurious.get(label, 0)
        yield number, f"{name} was found where no annotator marked it: {number} times"


def _rare_labels(test: Metrics) -> str:
    """Labels whose F1 has no interval, with their numbers of regions."""
    intervals = test.intervals.per_label if test.intervals else {}
    rare = [(label, row.support) for label, row in test.per_label.items() if intervals.get(label) is None]
    return ", ".join(f"{_code(label)} ({count(support, 'region')})" for label, support in rare)


def _code(text: str) -> str:
    """Markdown code span of any text, on one line."""
    line = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def _cell(text: str) -> str:
    """The same in a cell of a table, where ``|`` would end the cell."""
    return _code(text).replace("|", "\\|")
