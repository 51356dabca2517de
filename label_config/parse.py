"""Reads Label Studio's XML: which Labels controls label which Text, and why a configuration is not supported.

The format: https://labelstud.io/tags/labels, https://labelstud.io/tags/label and https://labelstud.io/tags/text
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from label_config.shown_text import fields

# As in a Text's value: the editor fills it in from the task.
_FROM_TASK = re.compile(r"\$[\w\[\].{}]", re.ASCII)

_OTHER_TAGS = {
    "Paragraphs": "its regions are places in a list of utterances",
    "HyperText": "its offsets count HTML",
    "Chat": "its regions are messages",
    "Taxonomy": "it gives each task a path in a tree of classes",
}
"""Tags that label texts in a way this service does not support, and why."""


class UnsupportedLabelConfig(ValueError):
    """The configuration does not label a text in a supported way; the message says what is missing and the remedy."""


def parse(xml: str) -> ET.Element:
    """Parse untrusted XML; raises ``UnsupportedLabelConfig`` if it is not well-formed or declares entities."""
    if not xml.strip():
        raise UnsupportedLabelConfig(
            "The labelling configuration is empty: set one in Label Studio under Settings → Labeling Interface."
        )
    try:
        return ET.fromstring(xml, ET.XMLParser(target=_WithoutDoctype()))  # noqa: S314 - it refuses what is unsafe
    except UnsupportedLabelConfig:
        raise
    except (ET.ParseError, ValueError) as error:  # ValueError: characters that UTF-8 cannot encode
        raise UnsupportedLabelConfig(
            f"The labelling configuration is not well-formed XML ({error}): correct it in Label Studio "
            "under Settings → Labeling Interface → Code."
        ) from error


class _WithoutDoctype(ET.TreeBuilder):
    """Refuses a DOCTYPE: entities, which can expand a small document to gigabytes, can only be declared there."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:  # noqa: ARG002
        raise UnsupportedLabelConfig(
            "The labelling configuration declares a DOCTYPE or an entity, which is not allowed: remove the declaration."
        )


def labelled_texts(root: ET.Element) -> list[tuple[ET.Element, list[ET.Element]]]:
    """The Texts that have Labels controls, each with its controls, all in order.

    Raises ``UnsupportedLabelConfig`` if there is none.
    """
    texts = {name: text for text in root.iter("Text") if (name := text.get("name"))}
    controls = [control for control in root.iter("Labels") if control.get("name")]
    pairs = [(text, [control for control in controls if name in targets(control)]) for name, text in texts.items()]
    labelled = [(text, of_text) for text, of_text in pairs if of_text]
    repeated = next((text for text, _ in labelled if "{{" in text.get("name", "") + text.get("value", "")), None)
    if repeated is not None:
        raise UnsupportedLabelConfig(
            f"<Text name={_quoted(repeated.get('name'))}> is repeated for each element of a list (<Repeater>), which "
            'is not supported: make a task of each element, and show it with <Text name="text" value="$text"/>.'
        )
    if not labelled:
        raise UnsupportedLabelConfig(_why_none(root, controls, texts))
    return labelled


def targets(control: ET.Element) -> list[str]:
    """The names in a control's ``toName``."""
    return [name.strip() for name in control.get("toName", "").split(",")]


def text_value(text: ET.Element) -> str:
    """The ``value`` of a Text; raises ``UnsupportedLabelConfig`` if the editor shows something else than task data."""
    name, value = _quoted(text.get("name")), text.get("value")
    try:
        fields(value or "")
    except ValueError as error:
        raise UnsupportedLabelConfig(f"<Text name={name}> shows value={_quoted(value)}, but {error}.") from None
    if text.get("encoding", "none") != "none":
        raise UnsupportedLabelConfig(
            f"<Text name={name}> decodes its text (encoding={_quoted(text.get('encoding'))}): "
            "import the plain text into the task and remove the attribute."
        )
    if text.get("valueType", "text") not in ("text", "url"):
        raise UnsupportedLabelConfig(
            f"<Text name={name}> has valueType={_quoted(text.get('valueType'))}, which is not known: write text or url."
        )
    return value or ""


def label_elements(control: ET.Element) -> list[ET.Element]:
    """The labels of a control that the configuration names; raises ``UnsupportedLabelConfig`` if there are none.

    Labels whose names come from the task are left out.
    """
    name = _quoted(control.get("name"))
    elements = [label for label in control.iter("Label") if _label_name(label)]
    listed = [label for label in elements if not _is_from_task(label)]
    if listed:
        return listed
    remedy = 'list them in the configuration, as <Label value="…"/>.'
    if elements:
        raise UnsupportedLabelConfig(
            f"<Labels name={name}> takes the names of its labels from each task "
            f"(<Label value={_quoted(_label_name(elements[0]))}/>): {remedy}"
        )
    if takes_labels_from_task(control):
        raise UnsupportedLabelConfig(
            f"<Labels name={name}> takes its labels from each task (value={_quoted(control.get('value'))}): {remedy}"
        )
    raise UnsupportedLabelConfig(
        f'<Labels name={name}> has no labels: add one <Label value="…"/> for each entity type.'
    )


def takes_labels_from_task(control: ET.Element) -> bool:
    """Whether a control offers labels that only the tasks name."""
    return bool(_FROM_TASK.search(control.get("value", ""))) or any(map(_is_from_task, control.iter("Label")))


def _is_from_task(label: ET.Element) -> bool:
    """Whether the task names the label: the editor fills in its ``value``, but never an ``alias``."""
    return not label.get("alias") and _FROM_TASK.search(label.get("value", "")) is not None


def _label_name(label: ET.Element) -> str:
    return label.get("alias") or label.get("value") or ""


def _why_none(root: ET.Element, controls: Sequence[ET.Element], texts: dict[str, ET.Element]) -> str:
    if other := _other_tag(root, controls):
        return (
            f"The labelling configuration labels <{other}>, and {_OTHER_TAGS[other]}: this service marks words "
            'in plain text, with <Labels name="label" toName="text"> on <Text name="text" value="$text"/>.'
        )
    if not controls and (regions := next((tag for tag in root.iter() if _marks_regions(tag)), None)) is not None:
        return (
            f"The labelling configuration labels with <{regions.tag}>: this service marks words in plain text, with "
            '<Labels name="label" toName="text"> on <Text name="text" value="$text"/>.'
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


def _marks_regions(tag: ET.Element) -> bool:
    return str(tag.tag).endswith("Labels") and tag.tag != "Labels"


def _other_tag(root: ET.Element, controls: Sequence[ET.Element]) -> str | None:
    """The tag of `_OTHER_TAGS` that is labelled here instead of a Text."""
    tags = {element.get("name"): element.tag for element in root.iter() if element.get("name")}
    labelled = [tags.get(target) for control in controls for target in targets(control)]
    used = [tag for tag in labelled if tag in _OTHER_TAGS]
    return next((tag for tag in (*used, *(_OTHER_TAGS if not controls else ())) if tag and _has(root, tag)), None)


def _has(root: ET.Element, tag: str) -> bool:
    return next(root.iter(tag), None) is not None


def _quoted(value: str | None) -> str:
    return "(missing)" if value is None else f'"{value}"'
