"""Reads Label Studio's XML: which Labels controls label which Text, and why a configuration is not supported.

The format: https://labelstud.io/tags/labels, https://labelstud.io/tags/label and https://labelstud.io/tags/text
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

_FIELD = re.compile(r"\$([\w.\-]+)")


class UnsupportedLabelConfig(ValueError):
    """The configuration does not label a text in a supported way; the message says what is missing and the remedy."""


def parse(xml: str) -> ET.Element:
    """Parse untrusted XML; raises ``UnsupportedLabelConfig`` if it is not well-formed or declares entities."""
    if not xml.strip():
        raise UnsupportedLabelConfig(
            "The labelling configuration is empty: set one in Label Studio under Settings → Labeling Interface."
        )
    # Entities can expand a small document to gigabytes; they can only be declared in a DOCTYPE.
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise UnsupportedLabelConfig(
            "The labelling configuration declares a DOCTYPE or an entity, which is not allowed: remove the declaration."
        )
    try:
        return ET.fromstring(xml)  # noqa: S314 - what makes it unsafe was rejected above
    except (ET.ParseError, ValueError) as error:  # ValueError: characters that UTF-8 cannot encode
        raise UnsupportedLabelConfig(
            f"The labelling configuration is not well-formed XML ({error}): correct it in Label Studio "
            "under Settings → Labeling Interface → Code."
        ) from error


def pair(root: ET.Element) -> tuple[list[ET.Element], ET.Element]:
    """The first Text that has a Labels control, with all its Labels controls in order.

    Raises ``UnsupportedLabelConfig`` if there is none.
    """
    texts = {name: text for text in root.iter("Text") if (name := text.get("name"))}
    controls = [control for control in root.iter("Labels") if control.get("name")]
    first = next((target for control in controls for target in targets(control) if target in texts), None)
    if first is None:
        raise UnsupportedLabelConfig(_why_no_pair(root, controls, texts))
    return [control for control in controls if first in targets(control)], texts[first]


def targets(control: ET.Element) -> list[str]:
    """The names in a control's ``toName``."""
    return [name.strip() for name in control.get("toName", "").split(",")]


def text_field(text: ET.Element) -> str:
    """The key of a task's data that a Text shows; raises ``UnsupportedLabelConfig`` if it shows something else."""
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


def label_elements(control: ET.Element) -> list[ET.Element]:
    """The labels of a control that have a name; raises ``UnsupportedLabelConfig`` if there are none."""
    name = _quoted(control.get("name"))
    if "$" in control.get("value", ""):
        raise UnsupportedLabelConfig(
            f"<Labels name={name}> takes its labels from each task (value={_quoted(control.get('value'))}): "
            'list them in the configuration, as <Label value="…"/>.'
        )
    elements = [label for label in control.iter("Label") if label.get("alias") or label.get("value")]
    if not elements:
        raise UnsupportedLabelConfig(
            f'<Labels name={name}> has no labels: add one <Label value="…"/> for each entity type.'
        )
    return elements


def _why_no_pair(root: ET.Element, controls: Sequence[ET.Element], texts: dict[str, ET.Element]) -> str:
    html = {text.get("name") for text in root.iter("HyperText")}
    if html and (not texts or any(target in html for control in controls for target in targets(control))):
        return (
            "The labelling configuration labels <HyperText>, whose offsets count HTML: "
            'use plain text with <Text name="text" value="$text"/> instead.'
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
        f"which is not a <Text>: change it to one of {', '.join(map(_quoted, texts))}."
    )


def _quoted(value: str | None) -> str:
    return "(missing)" if value is None else f'"{value}"'
