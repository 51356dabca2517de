"""Reads the results of an annotation as spans on the texts of a task; what is not certain is not read.

A result of Label Studio's editor::

    {"id": "a", "from_name": "label", "to_name": "text", "type": "labels",
     "value": {"start": 5, "end": 10, "text": "sushi", "labels": ["Dish"]}}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from converters.document import Span
from converters.offsets import Located, Unlocated, locate, stands_in
from converters.report import ConversionReport, Problem, shown
from label_config import LabelConfig, LabelledText

_REGION_TYPES = ("labels", "hypertextlabels", "paragraphlabels")
"""Results that mark a range of a text; the last two are of tags that were replaced by Labels and Text."""


@dataclass(slots=True)
class TextRegions:
    """The regions on one text: ``spans``, and ``unreadable`` ones of which only the place is known.

    It ``is_incomplete`` if another region is somewhere on this text.
    """

    spans: list[Span] = field(default_factory=list)
    unreadable: list[Span] = field(default_factory=list)
    is_incomplete: bool = False


class AnnotationReader:
    """Reads results on the texts of a configuration and records in ``report`` what is unreadable or was corrected.

    The text of a result is the one it names (``to_name``); where it names none, or none of the configuration's, the
    words of the region decide. Its place are its offsets, as `locate` checks them. Its label is one of that text's
    labels, by its name, value or alias, or by an earlier name (`LabelConfig.with_renamed`); the control that made it
    may have another name today. With ``keep_labels``, a label that the text does not have is kept as it is. The same
    region twice is one.
    """

    def __init__(self, config: LabelConfig, report: ConversionReport, *, keep_labels: bool) -> None:
        self.config = config
        self.report = report
        self._keep_labels = keep_labels
        self._indices = {text.name: index for index, text in enumerate(config.texts)}
        self._controls = [tuple(control.from_name for control in text.controls) for text in config.texts]
        [first, *_] = config.texts
        self._usual = {(control.from_name, first.name): frozenset(first.labels) for control in first.controls}

    def read(self, results: Sequence[Any], texts: Sequence[str | None], task: str) -> list[TextRegions]:
        """Read the results of an annotation of a ``task`` on its ``texts``, which are those of the configuration."""
        read = [TextRegions() for _ in texts]
        for result in results:
            if not isinstance(result, dict):
                self._give_up(read, Problem.MALFORMED, task, f"a result is an object, not {shown(result)}")
            elif not self._is_region(result):
                if "type" in result:  # else it is a field of a JSON_MIN object
                    self.report.other_controls[str(result.get("from_name") or "")] += 1
            else:
                self._read_region(result, texts, read, task)
        for regions in read:
            regions.spans = _without_repeated(regions.spans)
            self.report.regions += len(regions.spans) + len(regions.unreadable)
        return read

    def usual_spans(self, results: Sequence[Any], text: str) -> list[Span] | None:
        """The spans of an annotation of the only text; ``None`` unless all results are as the editor makes them today.

        Gives what `read` gives, in half the time.
        """
        spans: list[Span] = []
        end_of_text, labels_of = len(text), self._usual
        try:
            for result in results:
                value = result["value"]
                start, end, [label] = value["start"], value["end"], value["labels"]
                if not (
                    label in labels_of[result["from_name"], result["to_name"]] and result["type"] == "labels"
                    and type(start) is int and type(end) is int
                    and 0 <= start < end <= end_of_text and text[start:end] == value["text"]
                ):  # fmt: skip
                    return None
                spans.append(Span(start, end, label))
        except (KeyError, TypeError, ValueError):
            return None
        return _without_repeated(spans)

    def _is_region(self, result: dict[str, Any]) -> bool:
        """Whether a result may mark a range of one of these texts.

        The other results that have a place (a region's own Choices or TextArea) have no labels. Results of JSON_MIN
        name no text.
        """
        target, from_name, kind = result.get("to_name"), result.get("from_name"), result.get("type")
        if isinstance(target, str) and target in self.config.other_objects:
            return False
        if target is None and isinstance(from_name, str) and from_name in self.config.other_controls:
            return False
        value = result.get("value")
        has_labels = isinstance(value, dict) and "labels" in value
        return kind in _REGION_TYPES or has_labels or any(from_name in names for names in self._controls)

    def _read_region(
        self, result: dict[str, Any], texts: Sequence[str | None], read: list[TextRegions], task: str
    ) -> None:
        value = result.get("value")
        if not isinstance(value, dict):
            self._give_up(read, Problem.MALFORMED, task, f"the value of a result is an object, not {shown(value)}")
            return
        to_name = result.get("to_name")
        index = self._indices.get(to_name) if isinstance(to_name, str) else None
        if index is None:
            index = self._text_meant(result, value, texts)
        if index is None:
            self._note_unknown_text(result, value, texts, read, task)
            return
        content = texts[index]
        if content is None:
            self.report.regions += 1
            if any(text is not None for text in texts):  # else it is recorded once, for the task
                self.report.note(
                    Problem.NO_TEXT, task, f"a region on {self.config.texts[index].name!r}, which is empty"
                )
            return
        located = locate(content, value.get("start"), value.get("end"), value.get("text"))
        if isinstance(located, Unlocated):
            self._give_up([read[index]], located.problem, task, located.detail)
        elif located.start == located.end:  # it has no words, and it marks none
            self.report.note(Problem.EMPTY_SPAN, task, f"a region at {located.start} to {located.end}")
        else:
            self._read_label(result, value, located, index, read[index], task)

    def _read_label(
        self,
        result: dict[str, Any],
        value: dict[str, Any],
        located: Located,
        index: int,
        regions: TextRegions,
        task: str,
    ) -> None:
        """Add a region whose place is known: as a span, or as unreadable where it has no usable label."""
        text, (start, end, correction) = self.config.texts[index], located
        names = value.get("labels", value.get(str(result.get("type"))))
        label = self._label(names, text, result.get("from_name"), task)
        if label is None:
            regions.unreadable.append(Span(start, end, _first_name(names)))
            return
        if correction:
            offsets = f"{shown(value.get('start'))} to {shown(value.get('end'))}"
            detail = f"{label} at the offsets {offsets} is read at {start} to {end}: {correction}"
            self.report.note(Problem.CORRECTED_OFFSETS, task, detail)
        from_name = result.get("from_name")
        if from_name not in self._controls[index] and (control := text.control_of(label)):
            detail = f"no control is named {shown(from_name)}: its regions are read as those of {control.from_name!r}"
            self.report.note(Problem.RENAMED_CONTROL, task, detail)
        regions.spans.append(Span(start, end, label))

    def _label(self, names: object, text: LabelledText, from_name: object, task: str) -> str | None:
        """The label of a region: the first one, if its text has all of them."""
        if isinstance(names, list) and len(names) == 1 and (label := text.label_named(names[0])) is not None:
            if names[0] in text.renamed:
                self.report.note(Problem.RENAMED_LABEL, task, f"{names[0]} is read as {label}")
            return label
        given = names if isinstance(names, list) else []
        if not given:
            self.report.note(Problem.NO_LABEL, task, f"a region has the labels {shown(names)}")
            return None
        unknown = [name for name in given if text.label_named(name) is None]
        label = self._unknown(unknown[0], text, from_name, task) if unknown else text.label_named(given[0])
        if len(given) > 1 and label is not None:
            self.report.note(Problem.SEVERAL_LABELS, task, f"{label!r} is used of {shown(given)}")
        return label

    def _unknown(self, name: object, text: LabelledText, from_name: object, task: str) -> str | None:
        control = text.control(from_name)
        if control and control.takes_labels_from_task:
            self.report.note(Problem.LABEL_FROM_TASK, task, f"{shown(name)} of the control {control.from_name!r}")
        else:
            self._note_unknown(name, text, task)
        return name if self._keep_labels and isinstance(name, str) and name else None

    def _note_unknown(self, name: object, text: LabelledText, task: str) -> None:
        """Record a label that the text does not have; of several texts another one may have it."""
        others = [other for other in self.config.texts if other.label_named(name) is not None]
        if others:
            self.report.misplaced_labels[str(name), text.name] += 1
        is_label = any(other.label_named(name) != other.renamed.get(str(name)) for other in others)
        if not is_label:
            self.report.unknown_labels[str(name)] += 1
        problem = Problem.MISPLACED_LABEL if is_label else Problem.UNKNOWN_LABEL
        where = "the labelling configuration" if len(self.config.texts) == 1 else f"the labels of {text.name!r}"
        self.report.note(problem, task, f"{shown(name)} is not in {where}")

    def _text_meant(self, result: dict[str, Any], value: dict[str, Any], texts: Sequence[str | None]) -> int | None:
        """The text of a region that names none of these: the only one of its control, or the one with its words."""
        candidates = [index for index, content in enumerate(texts) if content is not None]
        if result.get("to_name") is None:
            named = [index for index in candidates if result.get("from_name") in self._controls[index]]
            candidates = named or candidates
            if len(texts) == 1 or len(named) == 1:
                return next(iter(candidates), 0)
        offsets = value.get("start"), value.get("end"), value.get("text")
        places = {index: locate(texts[index] or "", *offsets) for index in candidates if value.get("text")}
        located = {index: place for index, place in places.items() if isinstance(place, Located)}
        meant = [index for index, place in located.items() if not place.correction]
        if not meant and result.get("to_name") is None:
            meant = list(located)
        return meant[0] if len(meant) == 1 else None

    def _note_unknown_text(
        self,
        result: dict[str, Any],
        value: dict[str, Any],
        texts: Sequence[str | None],
        read: list[TextRegions],
        task: str,
    ) -> None:
        """Record a region of an unknown text: it may be on each of those that hold its words."""
        words, to_name = value.get("text"), result.get("to_name")
        target = f"names the text {shown(to_name)}" if to_name else "names no text"
        possible = [
            regions
            for regions, content in zip(read, texts, strict=True)
            if content is not None and (not words or stands_in(content, words))
        ]
        self._give_up(possible, Problem.UNKNOWN_TEXT, task, f"a region with the words {shown(words)} {target}")

    def _give_up(self, on: Sequence[TextRegions], problem: Problem, task: str, detail: str) -> None:
        self.report.regions += 1
        self.report.note(problem, task, detail)
        for regions in on:
            regions.is_incomplete = True


def _without_repeated(spans: list[Span]) -> list[Span]:
    # Almost always all starts differ: comparing numbers is faster than comparing spans.
    if len(spans) < 2 or len({span.start for span in spans}) == len(spans):
        return spans
    return list(dict.fromkeys(spans))


def _first_name(names: object) -> str:
    return str(names[0]) if isinstance(names, list) and names else ""
