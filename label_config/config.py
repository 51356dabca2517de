"""A project's labelling configuration: the parts that a token classifier needs.

For example::

    <View>
      <Labels name="label" toName="text">
        <Label value="Dish" background="orange" hotkey="1" predicted_values="FOOD"/>
      </Labels>
      <Text name="text" value="$text"/>
    </View>
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from label_config.parse import (
    UnsupportedLabelConfig,
    label_elements,
    labelled_texts,
    parse,
    takes_labels_from_task,
    text_value,
)
from label_config.shown_text import fields, shown_text

__all__ = ["Control", "Label", "LabelConfig", "LabelledText", "UnsupportedLabelConfig"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Label:
    """One ``<Label>``: ``name`` is its name in results, the ``alias`` if it has one, else the ``value``.

    ``predicted_values`` are names that a model may use for it.
    Source: https://labelstud.io/tags/label and https://labelstud.io/guide/ml_tutorials (``predicted_values``)
    """

    name: str
    value: str | None = None
    alias: str | None = None
    hotkey: str | None = None
    background: str | None = None
    predicted_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Control:
    """A ``<Labels>`` control of one text: its name in results, and its labels, unique, in the order of the XML.

    ``takes_labels_from_task``: besides ``labels`` it offers labels that only the tasks name.
    """

    from_name: str
    labels: tuple[str, ...]
    details: tuple[Label, ...] = ()
    takes_labels_from_task: bool = False


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A ``<Text>`` and the ``<Labels>`` controls that label it.

    ``name`` is its name in results (``to_name``), ``value`` the template of its text (`shown_text`); with ``is_url``
    that is the address of the text. ``labels`` are the labels of its controls, unique and in order. ``renamed`` maps
    labels that it had before to those that replace them (`LabelConfig.with_renamed`).
    """

    name: str
    value: str
    controls: tuple[Control, ...]
    is_url: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = field(init=False)
    _key: str | None = field(init=False, repr=False, compare=False)
    _names: dict[str, str] = field(init=False, repr=False, compare=False)
    _controls: dict[str, Control] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index labels and controls; spans are looked up by the million."""
        [path, *_] = fields(self.value)
        object.__setattr__(self, "_key", path if self.value == f"${path}" else None)
        labels = tuple(dict.fromkeys(label for control in self.controls for label in control.labels))
        details = [label for control in self.controls for label in control.details]
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "_names", _keep_first([*_own_names(labels, details), *self.renamed.items()]))
        owners = _keep_first((label, control) for control in self.controls for label in control.labels)
        object.__setattr__(self, "_controls", owners)

    def shown(self, data: object) -> str | None:
        """The text, or its address, that the editor shows for a task's ``data``; ``None`` where it has none."""
        content = data.get(self._key) if self._key and isinstance(data, dict) else None
        return content if isinstance(content, str) else shown_text(self.value, data)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a task's data that the text is made of."""
        return fields(self.value)

    def control(self, from_name: object) -> Control | None:
        """The Labels control of that name, or ``None``."""
        return next((control for control in self.controls if control.from_name == from_name), None)

    def control_of(self, label: str) -> Control | None:
        """The first control that has a label, or ``None``."""
        return self._controls.get(label)

    def label_named(self, name: object) -> str | None:
        """The label that is, or was, called ``name`` in annotations: a label, a ``value`` or ``alias``, or renamed."""
        return self._names.get(name) if isinstance(name, str) else None


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """The texts of a task that have labels, one or several, in the order of the XML.

    ``labels`` are the labels of all of them, unique and in order. Results on ``other_objects`` (images, sounds, …) are
    no regions of these texts, nor are those of ``other_controls`` that name no text; both are names in the
    configuration.
    """

    texts: tuple[LabelledText, ...]
    other_objects: frozenset[str] = frozenset()
    other_controls: frozenset[str] = frozenset()
    labels: tuple[str, ...] = field(init=False)
    _texts: dict[str, LabelledText] = field(init=False, repr=False, compare=False)
    _names: dict[str, str] = field(init=False, repr=False, compare=False)
    _folded: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index names and labels."""
        labels = tuple(dict.fromkeys(label for text in self.texts for label in text.labels))
        details = [label for text in self.texts for control in text.controls for label in control.details]
        names = _keep_first([*_own_names(labels, details), *_predicted_names(details)])
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "_texts", {text.name: text for text in self.texts})
        object.__setattr__(self, "_names", names)
        object.__setattr__(self, "_folded", _keep_first((name.casefold(), label) for name, label in names.items()))

    @classmethod
    def from_xml(cls, xml: str) -> LabelConfig:
        """Read Label Studio's XML: every Text with a Labels control that lists labels.

        Raises ``UnsupportedLabelConfig`` if there is none, and if the editor cannot show the text of one.
        """
        root = parse(xml)
        texts: list[LabelledText] = []
        refusals: list[UnsupportedLabelConfig] = []
        for element, controls in labelled_texts(root):
            value = text_value(element)
            read, unread = _controls(controls)
            refusals += unread
            if any(control.labels for control in read):
                is_url = element.get("valueType") == "url"
                texts.append(LabelledText(element.get("name", ""), value, tuple(read), is_url))
        if not texts:
            raise refusals[0]
        ours = {control.from_name for text in texts for control in text.controls}
        named = [(name, tag) for tag in root.iter() if (name := tag.get("name"))]
        other_objects = {name for name, tag in named if tag.get("toName") is None and tag.tag != "Text"}
        with_target = {name for name, tag in named if tag.get("toName") is not None}
        return cls(tuple(texts), frozenset(other_objects), frozenset(with_target - ours))

    @classmethod
    def of_one_text(
        cls, labels: Iterable[str], *, from_name: str = "label", to_name: str = "text", value: str = "$text"
    ) -> LabelConfig:
        """A configuration of one Text and one Labels control."""
        unique = tuple(dict.fromkeys(labels))
        control = Control(from_name, unique, tuple(Label(name, value=name) for name in unique))
        return cls((LabelledText(to_name, value, (control,)),))

    def with_renamed(self, renamed: Mapping[str, str]) -> LabelConfig:
        """The same configuration, in which annotations with an old label are read as having the new one.

        A label that the configuration still has is not an old one, and a new label that it lacks is ignored.
        """
        texts = tuple(
            replace(text, renamed={old: new for old, new in renamed.items() if new in text.labels})
            for text in self.texts
        )
        return replace(self, texts=texts)

    def target_of(self, old: str, new: str) -> str:
        """The label that annotations with the label ``old`` are to be read as, if ``new`` is its name, value or alias.

        Raises ``ValueError``, with a sentence, if ``new`` is not a label of the configuration, or ``old`` is one.
        """
        labels = ", ".join(self.labels)
        target = self.label_named(new)
        if target is None:
            raise ValueError(f"The configuration has no label {new!r}, use one of its labels: {labels}.")
        if not old or self.label_named(old) is not None:
            raise ValueError(
                f"{old!r} is a label of the configuration: give a label that it no longer has. Its labels: {labels}."
            )
        return target

    def label_named(self, name: object) -> str | None:
        """The label of any text that is, or was, called ``name`` in annotations (`LabelledText.label_named`)."""
        return next((label for text in self.texts if (label := text.label_named(name)) is not None), None)

    def text(self, name: object) -> LabelledText | None:
        """The labelled Text of that name, or ``None``."""
        return self._texts.get(name) if isinstance(name, str) else None

    def resolve(self, name: str) -> str | None:
        """The label that a model calls ``name``, or ``None``.

        The first match counts: a label of that name, a ``value`` or ``alias``, one of ``predicted_values``, and at last
        any of these in another case. If several labels share a name, the first one is used.
        """
        return self._names.get(name) or self._folded.get(name.casefold())


def _own_names(labels: Iterable[str], details: Iterable[Label]) -> Iterator[tuple[str, str]]:
    """The names of labels in annotations, in the order of precedence."""
    yield from ((name, name) for name in labels)
    yield from ((name, label.name) for label in details for name in (label.value, label.alias) if name)


def _predicted_names(details: Iterable[Label]) -> Iterator[tuple[str, str]]:
    yield from ((name, label.name) for label in details for name in label.predicted_values)


def _keep_first(pairs: Iterable[tuple[str, _T]]) -> dict[str, _T]:
    first: dict[str, _T] = {}
    for key, value in pairs:
        first.setdefault(key, value)
    return first


def _controls(elements: Sequence[ET.Element]) -> tuple[list[Control], list[UnsupportedLabelConfig]]:
    """The controls that offer labels, and why others list none."""
    controls: list[Control] = []
    refusals: list[UnsupportedLabelConfig] = []
    for element in elements:
        labels: dict[str, Label] = {}
        try:
            labels = _keep_first((label.name, label) for label in map(_label, label_elements(element)))
        except UnsupportedLabelConfig as refusal:
            refusals.append(refusal)
        from_task = takes_labels_from_task(element)
        if labels or from_task:
            controls.append(Control(element.get("name", ""), tuple(labels), tuple(labels.values()), from_task))
    return controls, refusals


def _label(element: ET.Element) -> Label:
    value, alias = element.get("value"), element.get("alias")
    return Label(
        name=alias or value or "",
        value=value,
        alias=alias,
        hotkey=element.get("hotkey"),
        background=element.get("background"),
        predicted_values=_split(element.get("predicted_values", "")),
    )


def _split(value: str) -> tuple[str, ...]:
    return tuple(name for part in value.split(",") if (name := part.strip()))
