from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from label_config import LabelConfig, UnsupportedLabelConfig, template

TEXT = '<Text name="text" value="$text"/>'
LABELS = '<Labels name="label" toName="text"><Label value="A"/><Label value="B" background="red"/></Labels>'


def view(*parts: str) -> str:
    return f"<View>{''.join(parts)}</View>"


def test_labels_and_their_text_are_read() -> None:
    assert LabelConfig.from_xml(view(LABELS, TEXT)) == LabelConfig("label", "text", "text", ("A", "B"))


@pytest.mark.parametrize(
    "xml",
    [
        view(TEXT, LABELS),
        view("<View><Header value='Label!'/>", LABELS, "</View><View>", TEXT, "</View>"),
        '<?xml version="1.0" encoding="utf-16"?><!-- labels -->' + view(LABELS, TEXT),
        view(LABELS.replace('<Label value="A"/>', '<View><Label value="A"/></View>'), TEXT),
        view(LABELS.replace('toName="text"', 'toName="audio, text"'), TEXT),
        view('<Choices name="c" toName="text"><Choice value="x"/></Choices>', LABELS, TEXT),
        view(
            '<Labels name="l" toName="a"><Label value="x"/></Labels><Audio name="a" value="$a"/>',
            LABELS,
            TEXT,
        ),
        view(LABELS, TEXT, LABELS.replace("label", "second"), '<Text name="other" value="$other"/>'),
    ],
)
def test_surroundings_do_not_matter(xml: str) -> None:
    assert LabelConfig.from_xml(xml) == LabelConfig("label", "text", "text", ("A", "B"))


def test_first_pair_with_a_text_is_taken() -> None:
    xml = view(
        '<Labels name="image" toName="img"><Label value="x"/></Labels><Image name="img" value="$img"/>',
        '<Labels name="ner" toName="body"><Label value="y"/></Labels><Text name="title" value="$title"/>',
        '<Labels name="late" toName="title"><Label value="z"/></Labels><Text name="body" value="$body"/>',
    )
    assert LabelConfig.from_xml(xml) == LabelConfig("ner", "body", "body", ("y",))


def test_alias_names_a_label_in_results() -> None:
    labels = '<Label value="Person" alias="PER"/><Label alias="" value="Place"/><Label alias="ORG"/>'
    xml = view(f'<Labels name="label" toName="text">{labels}</Labels>', TEXT)
    assert LabelConfig.from_xml(xml).labels == ("PER", "Place", "ORG")


def test_labels_are_unique_in_their_order() -> None:
    labels = "".join(f'<Label value="{value}"/>' for value in ("B", "A", "B", "Ärger &amp; Co", "A"))
    xml = view(f'<Labels name="label" toName="text">{labels}</Labels>', TEXT)
    assert LabelConfig.from_xml(xml).labels == ("B", "A", "Ärger & Co")


@pytest.mark.parametrize("field", ["text", "doc.body", "my-text", "text_2", "текст"])
def test_text_field_is_what_follows_the_dollar(field: str) -> None:
    assert LabelConfig.from_xml(view(LABELS, f'<Text name="text" value="${field}"/>')).text_field == field


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("<View>", "not well-formed"),
        ("labels", "not well-formed"),
        (view('<Label value="\ud800"/>'), "not well-formed"),
        (view('<Label value="\x00"/>'), "not well-formed"),
        (view("&nope;"), "not well-formed"),
        (view(), "no <Labels>"),
        (view(TEXT), "no <Labels>"),
        (view(LABELS.replace('name="label" ', ""), TEXT), "no <Labels>"),
        (view(LABELS), "no <Text>"),
        (view(LABELS, '<Text value="$text"/>'), "no <Text>"),
        (view(LABELS, '<HyperText name="text" value="$text"/>'), "<HyperText>"),
        (view('<HyperTextLabels name="l" toName="h"/><HyperText name="h" value="$html"/>'), "<HyperText>"),
        (view(LABELS.replace('toName="text"', 'toName="txt"'), TEXT), 'toName="txt"'),
        (view(LABELS.replace(' toName="text"', ""), TEXT), "toName=(missing)"),
        (view(LABELS, '<Text name="text" value="Hello"/>'), 'value="Hello"'),
        (view(LABELS, '<Text name="text" value="Say $text"/>'), 'value="Say $text"'),
        (view(LABELS, '<Text name="text" value="$"/>'), 'value="$"'),
        (view(LABELS, '<Text name="text" value="$a $b"/>'), 'value="$a $b"'),
        (view(LABELS, '<Text name="text"/>'), "value=(missing)"),
        (view(LABELS, '<Text name="text" value="$url" valueType="url"/>'), "valueType"),
        (view(LABELS, '<Text name="text" value="$text" encoding="base64"/>'), "encoding"),
        (view('<Labels name="label" toName="text"/>', TEXT), "has no labels"),
        (
            view('<Labels name="label" toName="text"><Label background="red"/></Labels>', TEXT),
            "has no labels",
        ),
        (view('<Labels name="label" toName="text" value="$options"/>', TEXT), "from each task"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence_with_the_remedy(xml: str, says: str) -> None:
    with pytest.raises(UnsupportedLabelConfig) as caught:
        LabelConfig.from_xml(xml)
    message = str(caught.value)
    assert says in message
    assert message.endswith(".")
    assert ": " in message
    assert "\n" not in message


def test_declared_entities_are_refused_unread() -> None:
    lol = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    bomb = f'<!DOCTYPE View [<!ENTITY l0 "lol">{lol}]>{view("&l9;")}'
    with pytest.raises(UnsupportedLabelConfig, match="DOCTYPE"):
        LabelConfig.from_xml(bomb)


def test_external_entities_are_refused_unread() -> None:
    xml = '<!DOCTYPE View [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + view("&x;", LABELS, TEXT)
    with pytest.raises(UnsupportedLabelConfig, match="remove the declaration"):
        LabelConfig.from_xml(xml)


def test_deeply_nested_views_are_read() -> None:
    depth = 20_000
    xml = "<View>" * depth + LABELS + TEXT + "</View>" * depth
    assert LabelConfig.from_xml(xml).labels == ("A", "B")


def test_unsupported_configuration_is_a_value_error() -> None:
    assert issubclass(UnsupportedLabelConfig, ValueError)


def test_restaurant_template_has_the_eight_labels() -> None:
    config = LabelConfig.from_xml(template("restaurant"))
    assert config == LabelConfig(
        "label",
        "text",
        "text",
        ("Amenity", "Cuisine", "Dish", "Hours", "Location", "Price", "Rating", "Restaurant_Name"),
    )


def test_restaurant_template_has_a_colour_and_a_number_key_for_each_label() -> None:
    labels = list(ET.fromstring(template("restaurant")).iter("Label"))
    assert [label.get("hotkey") for label in labels] == list("12345678")
    assert [label.get("background") for label in labels] == [
        "red",
        "darkorange",
        "orange",
        "green",
        "darkblue",
        "blue",
        "purple",
        "#842",
    ]


@pytest.mark.parametrize("name", ["nowhere", "", "../label_config/restaurant", "restaurant.xml"])
def test_unknown_template_names_those_there_are(name: str) -> None:
    with pytest.raises(ValueError, match="restaurant"):
        template(name)
