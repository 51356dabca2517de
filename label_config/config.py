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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from label_config.parse import UnsupportedLabelConfig, label_elements, pair, parse, text_field

__all__ = ["Control", "Label", "LabelConfig", "UnsupportedLabelConfig"]

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
    """One ``<Labels>`` control on the text: its names in results, and its labels, unique, in the order of the XML."""

    from_name: str
    to_name: str
    labels: tuple[str, ...]
    details: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """A ``<Text>`` and the ``<Labels>`` controls that label it.

    ``from_name`` and ``to_name`` are the names of the first control and of the Text; ``text_field`` is the key of a
    task's data that holds the text. ``controls`` are all Labels controls of that Text, in order; ``labels`` are the
    labels of all of them, unique and in order. Without ``controls`` there is one control with all ``labels``.
    """

    from_name: str
    to_name: str
    text_field: str
    labels: tuple[str, ...]
    controls: tuple[Control, ...] = ()
    _writers: dict[str, Control] = field(init=False, repr=False, compare=False)
    _readers: dict[str, Control] = field(init=False, repr=False, compare=False)
    _names: dict[str, str] = field(init=False, repr=False, compare=False)
    _folded: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the controls; spans are looked up by the million."""
        if not self.controls:
            details = tuple(Label(name, value=name) for name in self.labels)
            object.__setattr__(self, "controls", (Control(self.from_name, self.to_name, self.labels, details),))
        names = _keep_first(_names(self.labels, [label for control in self.controls for label in control.details]))
        object.__setattr__(self, "_names", names)
        object.__setattr__(self, "_folded", _keep_first((name.casefold(), label) for name, label in names.items()))
        object.__setattr__(self, "_readers", _keep_first((control.from_name, control) for control in self.controls))
        writers = _keep_first((label, control) for control in self.controls for label in control.labels)
        object.__setattr__(self, "_writers", writers)

    @classmethod
    def from_xml(cls, xml: str) -> LabelConfig:
        """Read Label Studio's XML: the first Labels control whose ``toName`` is a Text, and that Text.

        Other Labels controls of the same Text are read too, except those that list no labels.
        Raises ``UnsupportedLabelConfig`` if there is no such control, if the text is not a field of the task, and if
        the labels are not listed in the configuration.
        """
        (first, *others), text = pair(parse(xml))
        to_name = text.get("name", "")
        data_key = text_field(text)
        controls = [_control(first, to_name)]
        for other in others:
            with suppress(UnsupportedLabelConfig):
                controls.append(_control(other, to_name))
        labels = tuple(dict.fromkeys(label for control in controls for label in control.labels))
        return cls(controls[0].from_name, to_name, data_key, labels, tuple(controls))

    def control(self, from_name: object) -> Control | None:
        """The Labels control of that name, or ``None``."""
        return self._readers.get(from_name) if isinstance(from_name, str) else None

    def control_of(self, label: str) -> Control | None:
        """The first control that has a label, or ``None``."""
        return self._writers.get(label)

    def resolve(self, name: str) -> str | None:
        """The label that a model calls ``name``, or ``None``.

        The first match counts: a label of that name, a ``value`` or ``alias``, one of ``predicted_values``, and at last
        any of these in another case. If several labels share a name, the first one is used.
        """
        return self._names.get(name) or self._folded.get(name.casefold())


def _names(labels: Iterable[str], details: Sequence[Label]) -> Iterator[tuple[str, str]]:
    """All names with their labels, in the order of precedence."""
    yield from ((name, name) for name in labels)
    yield from ((name, label.name) for label in details for name in (label.value, label.alias) if name)
    yield from ((name, label.name) for label in details for name in label.predicted_values)


def _keep_first(pairs: Iterable[tuple[str, _T]]) -> dict[str, _T]:
    first: dict[str, _T] = {}
    for key, value in pairs:
        first.setdefault(key, value)
    return first


def _control(control: ET.Element, to_name: str) -> Control:
    unique = _keep_first((label.name, label) for label in map(_label, label_elements(control)))
    return Control(control.get("name", ""), to_name, tuple(unique), tuple(unique.values()))


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
