"""The README of a version: what it was made of, how well it does, and where to doubt it."""

from __future__ import annotations

import json
from typing import Any

from backend.training.embedded import PACKAGE
from backend.training.evaluate import LabelMetrics, Metrics

_SMALL = 50
"""Fewer test documents than this say little about a model."""


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
        _results("Validation", validation),
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
            "    dataset: {name: Label Studio project (held-out tasks), type: private}",
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


def _results(side: str, metrics: Metrics | None) -> str:
    if metrics is None:
        return f"## {side}\n\nNo task fell on this side, so nothing was measured."
    rows: list[tuple[str, Metrics | LabelMetrics]] = [("all", metrics), *metrics.per_label.items()]
    table = [
        f"| {name} | {row.precision:.3f} | {row.recall:.3f} | {row.f1:.3f} | {row.support} |" for name, row in rows
    ]
    head = ["| label | precision | recall | F1 | regions |", "| --- | ---: | ---: | ---: | ---: |"]
    return (
        f"## {side}\n\nOn {metrics.documents} tasks, by whole regions: boundaries and label must be exactly right.\n\n"
    ) + "\n".join(head + table)


def _training(info: dict[str, Any]) -> str:
    recipe, trained = info["recipe"], info["training"]
    seconds = sum(info["seconds"].values())
    return (
        "## Training\n\n"
        f"{trained['epochs']:g} epochs, {trained['steps']} steps of {recipe['batch_size']} examples, AdamW with peak "
        f"learning rate {trained['learning_rate']:g} (linear, 10 % warm-up) and weight decay "
        f"{recipe['weight_decay']:g}, seed {recipe['seed']}, on {trained['device']}; {seconds:.0f} s in all. "
        f"Library versions are in `metrics.json`: {json.dumps(info['libraries'])}."
    )


def _limits(test: Metrics | None) -> str:
    lines = []
    if test is None or not test.support:
        lines.append("Its quality is unknown: the test side holds no regions yet.")
    elif test.documents < _SMALL:
        lines.append(
            f"The test side is small ({test.documents} tasks, {test.support} regions): the scores above may be off "
            "by many points, and a difference between two versions may be chance."
        )
    lines.append(
        "It knows the kind of text it was trained on and the way its annotators marked it; expect less elsewhere. "
        "Regions never overlap and always end at word boundaries."
    )
    return "## Limits\n\n" + " ".join(lines)


def _quoted(value: str) -> str:
    """A YAML scalar that is safe whatever it holds; JSON strings are YAML."""
    return json.dumps(value, ensure_ascii=False)
