from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import combinations, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from label_config import LabelConfig, generate
from label_config.generate import colours

WRITABLE = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff", include_characters="\t\n\r"),
    min_size=1,
)


def rgb(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def contrast_with_white(colour: str) -> float:
    channels = (value / 255 for value in rgb(colour))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 1.05 / (0.05 + sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True)))


@given(st.lists(WRITABLE, min_size=1, max_size=15))
def test_generated_configuration_reads_back_as_the_same_labels(labels: list[str]) -> None:
    config = LabelConfig.from_xml(generate(labels))
    assert config.labels == tuple(dict.fromkeys(labels))
    [text] = config.texts
    assert (text.controls[0].from_name, text.name, text.value) == ("label", "text", "$text")


def test_dollar_sign_of_a_label_is_not_filled_in_by_the_editor() -> None:
    xml = generate(["$NUM", "US$"])
    assert [label.get("value") for label in ET.fromstring(xml).iter("Label")] == ["＄NUM", "US＄"]
    assert LabelConfig.from_xml(xml).labels == ("$NUM", "US$")


def test_names_and_field_are_as_given() -> None:
    config = LabelConfig.from_xml(generate(["A"], from_name="n<er>", to_name='b"ody', text_field="doc.body"))
    [text] = config.texts
    assert (text.controls[0].from_name, text.name, text.value) == ("n<er>", 'b"ody', "$doc.body")


def test_first_nine_labels_have_number_keys() -> None:
    elements = list(ET.fromstring(generate([f"L{i}" for i in range(12)])).iter("Label"))
    assert [label.get("hotkey") for label in elements] == [*"123456789", None, None, None]


def test_every_label_has_its_own_colour_and_white_reads_well_on_it() -> None:
    generated = list(islice(colours(), 500))
    assert len(set(generated)) == 500
    assert min(contrast_with_white(colour) for colour in generated) >= 4.5


def test_colours_of_the_first_nine_labels_are_far_apart() -> None:
    pairs = combinations(map(rgb, islice(colours(), 9)), 2)
    assert min(sum((a - b) ** 2 for a, b in zip(*pair, strict=True)) for pair in pairs) >= 50**2


@pytest.mark.parametrize("labels", [[], [""], ["A", "\x00"], ["\x1b"], ["\ud800"], ["\uffff"]])
def test_labels_that_xml_cannot_hold_are_refused(labels: list[str]) -> None:
    with pytest.raises(ValueError, match="label"):
        generate(labels)


@pytest.mark.parametrize(
    "names", [{"from_name": ""}, {"to_name": "a,b"}, {"text_field": "a b"}, {"text_field": "my-text"}]
)
def test_names_that_are_none_are_refused(names: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="are not valid names"):
        generate(["A"], **names)
