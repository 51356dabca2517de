"""Infers a labelling configuration from an export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from converters.offsets import Located, locate
from label_config import Control, LabelConfig, LabelledText

_LIKELY_FIELDS = ("text", "content", "sentence", "body")


class CannotInfer(ValueError):
    """The configuration cannot be inferred from this export; the message says why and gives the remedy."""


def infer_config(tasks: Iterable[dict[str, Any]], *, renamed: Mapping[str, str] | None = None) -> LabelConfig:
    """Infer from all tasks of an export: texts, controls and labels from the regions, fields from the data.

    The field of a text is the one in which the words of its regions stand where they were marked. Where regions have no
    words it is the field that is a string in every task; of several the one named ``text``, or another likely name.
    Labels in ``renamed`` are replaced by those it maps them to. Raises ``CannotInfer`` where several fields are
    possible or none is, and where nothing is labelled.
    """
    renamed = renamed or {}
    texts: dict[str, _Text] = {}
    strings: Counter[str] = Counter()
    count = 0
    for task in tasks:
        if not isinstance(task, dict):
            continue
        count += 1
        contents = _strings(task.get("data"))
        strings.update(contents.keys())
        for result in _label_results(task):
            _text_of(result, texts).add(result, contents, renamed)
    labelled = {name: text for name, text in texts.items() if any(text.controls.values())}
    if not labelled:
        raise CannotInfer(
            "No task has a region with a label of plain text (type labels): pass the project's labelling configuration "
            "with --config."
        )
    fields = {name: _field(text, strings, count) for name, text in labelled.items()}
    config = LabelConfig(tuple(_labelled_text(name, labelled, fields) for name in _first_of_each(fields)))
    return config.with_renamed(renamed)


@dataclass(slots=True)
class _Text:
    """What the regions say of one text: the labels of each control, and how many regions fit each field."""

    controls: dict[str, dict[str, None]] = field(default_factory=dict)
    fitting: Counter[str] = field(default_factory=Counter)

    def add(self, result: dict[str, Any], contents: Mapping[str, str], renamed: Mapping[str, str]) -> None:
        labels = self.controls.setdefault(str(result.get("from_name")), {})
        value = result["value"]
        labels.update({renamed.get(label, label): None for label in value["labels"] if isinstance(label, str)})
        if isinstance(value.get("text"), str) and len(contents) > 1:
            offsets = value["start"], value.get("end"), value["text"]
            places = {key: locate(content, *offsets) for key, content in contents.items()}
            self.fitting.update(
                key for key, place in places.items() if isinstance(place, Located) and not place.correction
            )


def _text_of(result: dict[str, Any], texts: dict[str, _Text]) -> _Text:
    """The text that a region names; those of JSON_MIN name only their control."""
    name = result.get("to_name") or f"text of {result.get('from_name')}"
    return texts.setdefault(str(name), _Text())


def _first_of_each(fields: Mapping[str, str]) -> list[str]:
    """The first text of each field."""
    return [name for index, name in enumerate(fields) if fields[name] not in list(fields.values())[:index]]


def _labelled_text(name: str, texts: Mapping[str, _Text], fields: Mapping[str, str]) -> LabelledText:
    """The text of a field, with the controls of all texts that have the same field."""
    labels: dict[str, dict[str, None]] = {}
    for other, text in texts.items():
        if fields[other] == fields[name]:
            for from_name, of_control in text.controls.items():
                labels.setdefault(from_name, {}).update(of_control)
    controls = [Control(from_name, tuple(of_control)) for from_name, of_control in labels.items() if of_control]
    to_name = fields[name] if name.startswith("text of ") else name
    return LabelledText(to_name, f"${fields[name]}", tuple(controls))


def _strings(data: object) -> dict[str, str]:
    return {key: value for key, value in data.items() if type(value) is str} if isinstance(data, dict) else {}


def _label_results(task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The results of a task's annotations that are labelled regions of a text, without malformed ones."""
    annotations = task.get("annotations") or task.get("completions")
    for annotation in annotations if isinstance(annotations, list) else ():
        results = annotation.get("result") if isinstance(annotation, dict) else None
        for result in results if isinstance(results, list) else ():
            if not isinstance(result, dict) or result.get("type") != "labels":
                continue
            value = result.get("value")
            if isinstance(value, dict) and isinstance(value.get("labels"), list) and "start" in value:
                yield result


def _field(text: _Text, strings: Counter[str], tasks: int) -> str:
    best = text.fitting.most_common(2)
    if best and best[0][1] > (best[1][1] if len(best) > 1 else 0):
        return best[0][0]
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
