"""A project's labelling configuration, as far as a token classifier needs it.

The format: https://labelstud.io/tags/labels, https://labelstud.io/tags/label and https://labelstud.io/tags/text
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass

_FIELD = re.compile(r"\$([\w.\-]+)")


class UnsupportedLabelConfig(ValueError):
    """No text labelling that can be learned; the message says what is missing and the remedy."""


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """The one pair of ``<Labels>`` and ``<Text>`` that spans are read from and written for.

    ``from_name`` names the Labels control and ``to_name`` the Text it labels; ``text_field`` is the key
    of a task's data that holds the text; ``labels`` are unique, in the order of the XML, named as results
    name them (a Label's ``alias`` where it has one, else its ``value``).
    """

    from_name: str
    to_name: str
    text_field: str
    labels: tuple[str, ...]

    @classmethod
    def from_xml(cls, xml: str) -> LabelConfig:
        """Read Label Studio's XML; of several pairs the first Labels whose ``toName`` is a Text.

        Raises ``UnsupportedLabelConfig`` where there is no such pair, where the text is not a field of
        the task, and where the labels are not in the configuration itself.
        """
        root = _parse(xml)
        control, text = _pair(root)
        return cls(
            from_name=control.get("name", ""),
            to_name=text.get("name", ""),
            text_field=_text_field(text),
            labels=_labels(control),
        )


def _parse(xml: str) -> ET.Element:
    if not xml.strip():
        raise UnsupportedLabelConfig(
            "The labelling configuration is empty: set one in Label Studio under Settings → Labeling Interface."
        )
    # Entities can blow a small document up to gigabytes, and can only be declared here.
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise UnsupportedLabelConfig(
            "The labelling configuration declares a DOCTYPE or an entity, which is refused: remove the declaration."
        )
    try:
        return ET.fromstring(xml)  # noqa: S314 - what makes it unsafe was refused above
    except (ET.ParseError, ValueError) as error:  # ValueError: characters that UTF-8 cannot carry
        raise UnsupportedLabelConfig(
            f"The labelling configuration is not well-formed XML ({error}): correct it in Label Studio "
            "under Settings → Labeling Interface → Code."
        ) from error


def _pair(root: ET.Element) -> tuple[ET.Element, ET.Element]:
    """Find the first Labels control of a Text, and that Text."""
    texts = {name: text for text in root.iter("Text") if (name := text.get("name"))}
    controls = [control for control in root.iter("Labels") if control.get("name")]
    for control in controls:
        for target in _targets(control):
            if target in texts:
                return control, texts[target]
    raise UnsupportedLabelConfig(_why_no_pair(root, controls, texts))


def _targets(control: ET.Element) -> Iterator[str]:
    return (name.strip() for name in control.get("toName", "").split(","))


def _why_no_pair(root: ET.Element, controls: list[ET.Element], texts: dict[str, ET.Element]) -> str:
    if not texts and root.find(".//HyperText") is not None:
        return (
            "The labelling configuration labels <HyperText>, whose offsets count in HTML: "
            'show plain text with <Text name="text" value="$text"/> instead.'
        )
    if not controls:
        return (
            "The labelling configuration has no <Labels> control with a name: add "
            '<Labels name="label" toName="text"> with one <Label value="…"/> for each entity type.'
        )
    if not texts:
        return 'The labelling configuration has no <Text> with a name to label: add <Text name="text" value="$text"/>.'
    control = controls[0]
    return (
        f"<Labels name={_quoted(control.get('name'))}> labels toName={_quoted(control.get('toName'))}, "
        f"which is no <Text>: point it to one of {', '.join(map(_quoted, texts))}."
    )


def _text_field(text: ET.Element) -> str:
    name, value = _quoted(text.get("name")), text.get("value")
    field = _FIELD.fullmatch(value or "")
    if field is None:
        raise UnsupportedLabelConfig(
            f"<Text name={name}> shows value={_quoted(value)}, which is not one field of the task: "
            'write value="$text", with the name of the field that holds the text.'
        )
    if text.get("valueType", "text") != "text" or text.get("encoding", "none") != "none":
        raise UnsupportedLabelConfig(
            f"<Text name={name}> loads or decodes its text (valueType or encoding): "
            "import the plain text into the task and remove the attribute."
        )
    return field[1]


def _labels(control: ET.Element) -> tuple[str, ...]:
    name = _quoted(control.get("name"))
    if "$" in control.get("value", ""):
        raise UnsupportedLabelConfig(
            f"<Labels name={name}> takes its labels from each task (value={_quoted(control.get('value'))}): "
            'list them in the configuration, as <Label value="…"/>.'
        )
    named = (label.get("alias") or label.get("value") for label in control.iter("Label"))
    labels = tuple(dict.fromkeys(label for label in named if label))
    if not labels:
        raise UnsupportedLabelConfig(
            f'<Labels name={name}> has no labels: add one <Label value="…"/> for each entity type.'
        )
    return labels


def _quoted(value: str | None) -> str:
    return "(missing)" if value is None else f'"{value}"'
