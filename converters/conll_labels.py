"""Finds a configuration's labels, and the one of its texts, that the documents of a CoNLL file are written to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from converters.document import Document
from label_config import LabelConfig, LabelledText

Kind = Literal["predictions", "annotations"]


@dataclass(frozen=True, slots=True)
class Placement:
    """Places documents in a configuration; ``labels`` are all labels of the file.

    A label is found by its name, ``value`` or ``alias``; in predictions also as `LabelConfig.resolve` finds it.
    """

    config: LabelConfig
    kind: Kind
    labels: Collection[str] = ()

    def place(self, document: Document) -> tuple[Document, list[str]]:
        """The document with the labels of the text it is written to, without the others, and why these are left out.

        The text is the one that the document names, else the first that has all its labels, or else most of them.
        Raises ``ValueError`` for an entity without a label.
        """
        labels = dict.fromkeys(span.label for span in document.spans)
        check_labels(labels)
        text = self.config.text(document.text_name) or self._best(labels or dict.fromkeys(self.labels))
        names = {label: self._label(label, text) for label in labels}
        spans = [replace(span, label=name) for span in document.spans if (name := names[span.label]) is not None]
        text_name = text.name if len(self.config.texts) > 1 else document.text_name
        problems = [self._problem(span.label, text) for span in document.spans if names[span.label] is None]
        return replace(document, spans=tuple(spans), text_name=text_name), problems

    def _best(self, labels: Iterable[str]) -> LabelledText:
        if len(self.config.texts) == 1:
            return self.config.texts[0]
        return max(self.config.texts, key=lambda text: sum(self._label(label, text) is not None for label in labels))

    def _label(self, label: str, text: LabelledText) -> str | None:
        name = text.label_named(label)
        if name is None and self.kind == "predictions":
            name = self.config.resolve(label)
        return name if name in text.labels else None

    def _problem(self, label: str, text: LabelledText) -> str:
        if not any(self._label(label, other) for other in self.config.texts):
            return f"{label!r} is not in the labelling configuration"
        return f"{label!r} is not a label of the text {text.name!r}, which has the document's other labels"


def check_labels(labels: Iterable[str]) -> None:
    """Raise ``ValueError`` if one of the labels of a file is empty."""
    if "" in labels:
        raise ValueError("There are tags without a label (B-, I-): give the label with --label NAME.")
