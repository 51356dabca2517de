"""A labelling configuration guessed from an export that comes without one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from label_config import Control, LabelConfig

_LIKELY_FIELDS = ("text", "content", "sentence", "body")


class CannotInfer(ValueError):
    """The export does not say what a labelling configuration would; the message names what to give."""


def infer_config(tasks: Iterable[dict[str, Any]]) -> LabelConfig:
    """Guess from all tasks of an export: controls and labels from the regions, the text field from the data.

    The text field is one that holds a string in every task: ``text``, or another likely name, or the only one.
    Raises ``CannotInfer`` where several could be it, where there is none, or where nothing is labelled.
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
        raise CannotInfer("No task has a labelled region: give the project's labelling configuration with --config.")
    to_name = targets.most_common(1)[0][0]
    found = tuple(Control(name, to_name, tuple(labels)) for name, labels in controls.items() if labels)
    every = tuple(dict.fromkeys(label for control in found for label in control.labels))
    return LabelConfig(found[0].from_name, to_name, _text_field(strings, count), every, found)


def _label_results(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The results of a task's annotations that are labelled stretches of a text, malformed ones left out."""
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
    found = ", ".join(sorted(always)) or "none"
    raise CannotInfer(
        f"Which field of the tasks holds the text cannot be told (strings are in: {found}): "
        "give the project's labelling configuration with --config."
    )
