"""Infers a labelling configuration from an export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from label_config import Control, LabelConfig

_LIKELY_FIELDS = ("text", "content", "sentence", "body")


class CannotInfer(ValueError):
    """The configuration cannot be inferred from this export; the message says why and gives the remedy."""


def infer_config(tasks: Iterable[dict[str, Any]]) -> LabelConfig:
    """Infer from all tasks of an export: controls and labels from the regions, the text field from the data.

    The text field is the field that is a string in every task; of several the one named ``text``, or another likely
    name. Raises ``CannotInfer`` where several fields are possible or none is, and where nothing is labelled.
    """
    controls: dict[str, dict[str, None]] = {}
    targets: Counter[str] = Counter()
    strings: Counter[str] = Counter()
    count = 0
    for task in tasks:
        if not isinstance(task, dict):
            continue
        count += 1
        data = task.get("data")
        strings.update(key for key, value in (data if isinstance(data, dict) else {}).items() if type(value) is str)
        for result in _label_results(task):
            labels = controls.setdefault(str(result.get("from_name")), {})
            labels.update(dict.fromkeys(label for label in result["value"]["labels"] if isinstance(label, str)))
            targets[str(result.get("to_name") or "text")] += 1
    if not any(controls.values()):
        raise CannotInfer("No task has a labelled region: pass the project's labelling configuration with --config.")
    to_name = targets.most_common(1)[0][0]
    inferred = tuple(Control(name, to_name, tuple(labels)) for name, labels in controls.items() if labels)
    all_labels = tuple(dict.fromkeys(label for control in inferred for label in control.labels))
    return LabelConfig(inferred[0].from_name, to_name, _text_field(strings, count), all_labels, inferred)


def _label_results(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The results of a task's annotations that are labelled regions of a text, without malformed ones."""
    annotations = task.get("annotations")
    for annotation in annotations if isinstance(annotations, list) else ():
        results = annotation.get("result") if isinstance(annotation, dict) else None
        for result in results if isinstance(results, list) else ():
            if not isinstance(result, dict) or result.get("type") != "labels":
                continue
            value = result.get("value")
            if isinstance(value, dict) and isinstance(value.get("labels"), list) and "start" in value:
                yield result


def _text_field(strings: Counter[str], tasks: int) -> str:
    always = [key for key, count in strings.items() if count == tasks] or list(strings)
    for likely in _LIKELY_FIELDS:
        if likely in always:
            return likely
    if len(always) == 1:
        return always[0]
    fields = ", ".join(sorted(always)) or "none"
    raise CannotInfer(
        f"It is not clear which field of the tasks holds the text (fields with strings: {fields}): "
        "pass the project's labelling configuration with --config."
    )
