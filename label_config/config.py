"""A project's labelling configuration, as far as a token classifier needs it."""

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
    """One ``<Label>``: ``name`` is what results call it, its ``alias`` where it has one, else its ``value``.

    ``predicted_values`` are the names a model may have for it.
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
    """The ``<Text>`` that spans lie on and the ``<Labels>`` controls that make them.

    ``from_name`` and ``to_name`` name the first control and its Text; ``text_field`` is the key of a task's
    data that holds the text. ``controls`` are all the Labels controls of that Text, the first one first;
    ``labels`` are the labels of all of them, unique and in order. A configuration made without
    ``controls`` has the one they describe.
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
        names = _first_wins(_names(self.labels, [label for control in self.controls for label in control.details]))
        object.__setattr__(self, "_names", names)
        object.__setattr__(self, "_folded", _first_wins((name.casefold(), label) for name, label in names.items()))
        object.__setattr__(self, "_readers", _first_wins((control.from_name, control) for control in self.controls))
        writers = _first_wins((label, control) for control in self.controls for label in control.labels)
        object.__setattr__(self, "_writers", writers)

    @classmethod
    def from_xml(cls, xml: str) -> LabelConfig:
        """Read Label Studio's XML; of several pairs the first Labels whose ``toName`` is a Text.

        Other Labels controls of the same Text are read along, unless they list no labels of their own.
        Raises ``UnsupportedLabelConfig`` where there is no such pair, where the text is not a field of
        the task, and where the labels are not in the configuration itself.
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
        """Find the Labels control of that name, or ``None``."""
        return self._readers.get(from_name) if isinstance(from_name, str) else None

    def control_of(self, label: str) -> Control | None:
        """Find the first control that has a label, or ``None`` where none has."""
        return self._writers.get(label)

    def resolve(self, name: str) -> str | None:
        """Find the label that a model calls ``name``, or ``None``.

        The first that fits counts: a label of that name, a ``value`` or ``alias``, one of ``predicted_values``,
        and as a last resort any of these in another case. Of labels that share such a name the first wins.
        """
        return self._names.get(name) or self._folded.get(name.casefold())


def _names(labels: Iterable[str], details: Sequence[Label]) -> Iterator[tuple[str, str]]:
    """Give what labels are called with the label meant, the strongest claim to a name first."""
    yield from ((name, name) for name in labels)
    yield from ((name, label.name) for label in details for name in (label.value, label.alias) if name)
    yield from ((name, label.name) for label in details for name in label.predicted_values)


def _first_wins(pairs: Iterable[tuple[str, _T]]) -> dict[str, _T]:
    found: dict[str, _T] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def _control(control: ET.Element, to_name: str) -> Control:
    unique = _first_wins((label.name, label) for label in map(_label, label_elements(control)))
    return Control(control.get("name", ""), to_name, tuple(unique), tuple(unique.values()))


def _label(element: ET.Element) -> Label:
    value, alias = element.get("value"), element.get("alias")
    return Label(
        name=alias or value or "",
        value=value,
        alias=alias,
        hotkey=element.get("hotkey"),
        background=element.get("background"),
        predicted_values=_listed(element.get("predicted_values", "")),
    )


def _listed(value: str) -> tuple[str, ...]:
    return tuple(name for part in value.split(",") if (name := part.strip()))
