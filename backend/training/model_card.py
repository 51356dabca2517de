"""The README of a version: what it was made of, how well it does, and where to candidate it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from backend.evaluation.bootstrap import MIN_DOCUMENTS_OF_LABEL
from backend.evaluation.evaluate import Metrics
from backend.scores import MIN_DOCUMENTS, Interval
from backend.scores import held_out_tasks as tasks
from backend.training.base_model.embedded import PACKAGE

_MIXED_UP = 6
"""Confusions that a card names, the most frequent ones."""

_TWICE = 2
"""What happened once may have been a slip of the annotator's."""


def model_card(info: dict[str, Any], *, validation: Metrics | None, test: Metrics | None) -> str:
    """Write a version's model card: YAML front matter as the hub reads it, then text for people.

    ``info`` is what ``metrics.json`` records besides the scores. Format:
    https://huggingface.co/docs/hub/model-cards
    """
    parts = [
        _front_matter(info, test),
        _introduction(info),
        _data(info),
        _results("Test", test),
        _mixed_up(test),
        _results("Validation", validation, "These tasks chose among the epochs, which flatters the scores."),
        _training(info),
        _limits(test),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(info: dict[str, Any], test: Metrics | None) -> str:
    base = info["recipe"]["base"]
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: token-classification",
        "tags: [token-classification, named-entity-recognition, label-studio, onnx]",
    ]
    if base == "embedded":
        lines.append("base_model: sentence-transformers/all-MiniLM-L6-v2")
    elif not base.startswith((".", "/", "~")):
        lines.append(f"base_model: {_quoted(base)}")
    if test is not None and test.support:
        lines += [
            "model-index:",
            f"- name: {_quoted(info['name'])}",
            "  results:",
            "  - task: {type: token-classification}",
            f"    dataset: {{name: {_quoted(f'Label Studio project ({tasks(test.documents)})')}, type: private}}",
            "    metrics:",
            *(f"    - {{type: {key}, value: {getattr(test, key):.4f}}}" for key in ("precision", "recall", "f1")),
        ]
    return "\n".join([*lines, "---"])


def _introduction(info: dict[str, Any]) -> str:
    base = info["recipe"]["base"]
    origin = f"all-MiniLM-L6-v2, as packaged in `{PACKAGE}`" if base == "embedded" else f"`{base}`"
    labels = ", ".join(f"`{label}`" for label in info["labels"])
    return (
        f"# {info['name']}\n\n"
        f"Marks entities in text: {labels}. A token classifier that starts from {origin} and learnt from the "
        "annotations of a Label Studio project.\n\n"
        "Words are the model's unit: the first word piece of each word carries its BIO tag. "
        '`transformers.pipeline("ner", model=FOLDER, aggregation_strategy="first")` opens this folder; '
        "`onnx/model.onnx` is the same network for ONNX Runtime."
    ) + _int8(info)


def _int8(info: dict[str, Any]) -> str:
    int8 = info["int8"]
    if not int8["published"]:
        return ""
    return (
        f"\n\n`onnx/model_quantized.onnx` is its int8 form ({int8['recipe']}), which serves on processors with VNNI; "
        f"the scores below are its own. Compared with float32: {int8['reason']}."
    )


def _data(info: dict[str, Any]) -> str:
    counts = info["counts"]
    rows = [
        f"| {side} | {counts['documents'][side]} | {counts['entities'][side]} |"
        for side in ("train", "validation", "test")
    ]
    lost = [
        f"{counts[key]} regions were left out because {why}."
        for key, why in (
            ("spans_of_other_labels", "their label is not among the model's"),
            ("spans_without_place", "they overlap another region or cover no word"),
        )
        if counts[key]
    ]
    table = "\n".join(["| side | tasks | regions |", "| --- | ---: | ---: |", *rows])
    text = "Each task belongs to one side for good, by a hash of its id. `snapshot.conll` holds all of them."
    return "\n\n".join(["## Data", table, " ".join([text, *lost])])


def _results(side: str, metrics: Metrics | None, note: str = "") -> str:
    if metrics is None:
        return f"## {side}\n\nNo task fell on this side, so nothing was measured."
    if not metrics.support:
        return f"## {side}\n\nNo region is in the {tasks(metrics.documents)} of this side, so nothing was measured."
    how = f"On {tasks(metrics.documents)}, by whole regions: boundaries and label must be exactly right."
    found = metrics.intervals
    rows = [("all", metrics, found.f1 if found else None)] + [
        (_cell(label), row, found.per_label[label] if found else None) for label, row in metrics.per_label.items()
    ]
    table = [
        "| label | precision | recall | F1 | 95 % interval of F1 | regions |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {row.precision:.3f} | {row.recall:.3f} | {row.f1:.3f} | {_range(interval)} | {row.support} |"
            for name, row, interval in rows
        ),
    ]
    text = " ".join(part for part in (how, note, _trust(metrics)) if part)
    return f"## {side}\n\n{text}\n\n" + "\n".join(table)


def _trust(metrics: Metrics) -> str:
    """How far the scores may be off, in words."""
    found = metrics.intervals
    if found is None:
        return f"Measured on only {tasks(metrics.documents)}: too few to say more than roughly how good it is."
    if found.precision is None or found.recall is None or found.f1 is None:
        return (
            f"Fewer than {MIN_DOCUMENTS_OF_LABEL} of them hold regions: too few to say how far the scores may be off."
        )
    return (
        f"Since no more were held out, precision may be {_between(found.precision)}, recall {_between(found.recall)} "
        f"and F1 {_between(found.f1)} (95 % intervals)."
    )


def _between(interval: Interval) -> str:
    return f"anywhere from {interval[0]:.3f} to {interval[1]:.3f}"


def _range(interval: Interval | None) -> str:
    return f"{interval[0]:.3f}–{interval[1]:.3f}" if interval else "too few tasks"


def _cell(label: str) -> str:
    return "`" + label.replace("|", "\\|") + "`"


def _mixed_up(metrics: Metrics | None) -> str:
    """The most frequent mistakes, one a line; empty where none happened twice."""
    if metrics is None:
        return ""
    repeated = [mistake for mistake in _mistakes(metrics) if mistake[0] >= _TWICE]
    frequent = sorted(repeated, key=lambda mistake: -mistake[0])[:_MIXED_UP]
    lines = [f"- {text}" for _, text in frequent]
    return "\n".join(["Its most frequent mistakes there:", "", *lines]) if lines else ""


def _mistakes(metrics: Metrics) -> Iterator[tuple[int, str]]:
    """Every kind of mistake: how often it happened, possibly never, and a line about it."""
    confusion = metrics.confusion
    for label, row in metrics.per_label.items():
        for other, number in confusion.found_as.get(label, {}).items():
            if other != label:
                yield number, f"`{label}` was taken for `{other}`: {number} of {row.support} regions"
        number = confusion.boundaries.get(label, 0)
        yield number, f"`{label}` was found with other boundaries: {number} of {row.support} regions"
        number = confusion.missed.get(label, 0)
        yield number, f"`{label}` was missed: {number} of {row.support} regions"
        number = confusion.spurious.get(label, 0)
        yield number, f"`{label}` was found where nobody marked it: {number} times"


def _training(info: dict[str, Any]) -> str:
    recipe, trained = info["recipe"], info["training"]
    seconds = sum(info["seconds"].values())
    began = f"went on from `{trained['start']}`" if trained["start"] else "began with the base model"
    several = f" × {trained['processes']}" if trained["processes"] > 1 else ""
    return (
        "## Training\n\n"
        f"It {began}: {trained['epochs']:g} epochs, {trained['steps']} steps of {recipe['batch_size']} examples of "
        f"similar length, AdamW with peak learning rate {trained['learning_rate']:g} at the head and × "
        f"{trained['layer_decay']:g} for each layer below, rising for {trained['warm_up']:.0%} of the steps and "
        f"falling to 0 after, weight decay {recipe['weight_decay']:g}, label smoothing "
        f"{trained['label_smoothing']:g}, seed {recipe['seed']}, in {trained['precision']} on "
        f"{trained['device']}{several}. Kept is the running average of the weights after "
        f"{trained['chosen']:g} epochs{_chosen_by(trained)}. {seconds:.0f} s in all. Library versions are in "
        f"`metrics.json`: {json.dumps(info['libraries'])}."
    )


def _chosen_by(trained: dict[str, Any]) -> str:
    looks = [lap for lap in trained["evaluation_steps"] if lap["validation"]]
    return f", the best of {len(looks)} looks at the validation tasks" if len(looks) > 1 else ""


def _limits(test: Metrics | None) -> str:
    lines = []
    if test is None or not test.support:
        lines.append("Its quality is unknown: the test side holds no regions yet.")
    elif test.documents < MIN_DOCUMENTS:
        lines.append(
            f"Its quality is hardly known: it was measured on only {tasks(test.documents)} ({test.support} regions), "
            "so the scores may be off by many points, and a difference between two versions may be chance."
        )
    elif rare := _rare(test):
        lines.append(f"Little is known about its quality on rare labels: {rare}.")
    lines.append(
        "It knows the kind of text it was trained on and the way its annotators marked it; expect less elsewhere. "
        "Intervals tell what other tasks might change, not what another training run or other annotators would. "
        "Regions never overlap and always end at word boundaries."
    )
    return "## Limits\n\n" + " ".join(lines)


def _rare(test: Metrics) -> str:
    """Labels whose score has no interval, with their number of regions."""
    known = test.intervals.per_label if test.intervals else {}
    return ", ".join(f"`{label}` ({row.support})" for label, row in test.per_label.items() if known.get(label) is None)


def _quoted(value: str) -> str:
    """A YAML scalar that is safe whatever it holds; JSON strings are YAML."""
    return json.dumps(value, ensure_ascii=False)
