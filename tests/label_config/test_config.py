from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from label_config import Control, Label, LabelConfig, LabelledText, UnsupportedLabelConfig, template

TEXT = '<Text name="text" value="$text"/>'
LABELS = '<Labels name="label" toName="text"><Label value="A"/><Label value="B" background="red"/></Labels>'


def view(*parts: str) -> str:
    return f"<View>{''.join(parts)}</View>"


def basics(config: LabelConfig) -> list[tuple[list[str], str, str, tuple[str, ...]]]:
    """Of each text: the names of its controls, its name and value, and its labels."""
    return [
        ([control.from_name for control in text.controls], text.name, text.value, text.labels) for text in config.texts
    ]


def labels(*elements: str) -> LabelConfig:
    return LabelConfig.from_xml(view(f'<Labels name="label" toName="text">{"".join(elements)}</Labels>', TEXT))


def test_labels_and_their_text_are_read() -> None:
    details = (Label("A", value="A"), Label("B", value="B", background="red"))
    control = Control("label", ("A", "B"), details)
    config = LabelConfig.from_xml(view(LABELS, TEXT))
    assert config == LabelConfig((LabelledText("text", "$text", (control,)),))
    assert config.labels == ("A", "B")


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
        view(LABELS, TEXT, '<Text name="other" value="not labelled"/>'),
    ],
)
def test_surroundings_do_not_matter(xml: str) -> None:
    assert basics(LabelConfig.from_xml(xml)) == [(["label"], "text", "$text", ("A", "B"))]


def test_every_text_with_labels_is_read() -> None:
    xml = view(
        '<Labels name="image" toName="img"><Label value="x"/></Labels><Image name="img" value="$img"/>',
        '<Labels name="ner" toName="body"><Label value="y"/></Labels><Text name="title" value="$title"/>',
        '<Labels name="both" toName="title,body"><Label value="z"/></Labels><Text name="body" value="$mail.body"/>',
        '<Text name="unlabelled" value="$notes"/>',
    )
    config = LabelConfig.from_xml(xml)
    assert basics(config) == [
        (["both"], "title", "$title", ("z",)),
        (["ner", "both"], "body", "$mail.body", ("y", "z")),
    ]
    assert config.labels == ("z", "y")
    assert config.text("body") is config.texts[1]
    assert config.text("img") is None
    assert (config.other_objects, config.other_controls) == (frozenset({"img"}), frozenset({"image"}))


def test_alias_names_a_label_in_results() -> None:
    config = labels('<Label value="Person" alias="PER"/><Label alias="" value="Place"/><Label alias="ORG"/>')
    assert config.labels == ("PER", "Place", "ORG")


def test_labels_are_unique_in_their_order() -> None:
    config = labels(*(f'<Label value="{value}"/>' for value in ("B", "A", "B", "Ärger &amp; Co", "A")))
    assert config.labels == ("B", "A", "Ärger & Co")


def test_label_is_read_with_all_it_tells() -> None:
    config = labels(
        '<Label value="Person" alias="PER" hotkey="p" background="#842" predicted_values="PERSON, Human ,,"/>'
    )
    assert config.texts[0].controls[0].details == (Label("PER", "Person", "PER", "p", "#842", ("PERSON", "Human")),)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("PER", "PER"),
        ("Person", "PER"),
        ("human", "PER"),
        ("Place", "Place"),
        ("GPE", "Place"),
        ("gpe", "Place"),
        ("pLACE", "Place"),
        ("per", "PER"),
        ("Gpe", "gpe2"),
        ("ORG", None),
        ("", None),
    ],
)
def test_name_a_model_has_finds_the_label(name: str, label: str | None) -> None:
    config = labels(
        '<Label value="Person" alias="PER" predicted_values="human,Place,Person"/>',
        '<Label value="Place" predicted_values="GPE,human"/>',
        '<Label value="gpe2" predicted_values="Gpe"/>',
    )
    assert config.resolve(name) == label


def test_every_labels_control_of_the_text_is_read() -> None:
    config = LabelConfig.from_xml(
        view(
            LABELS,
            '<Labels name="who" toName="text"><Label value="B"/><Label value="C"/></Labels>',
            '<Labels name="empty" toName="text"/><Labels name="tasks" toName="text" value="$options"/>',
            '<Labels name="some" toName="text"><Label value="D"/><Label value="$more"/></Labels>',
            TEXT,
        )
    )
    [text] = config.texts
    assert [(control.from_name, control.labels, control.takes_labels_from_task) for control in text.controls] == [
        ("label", ("A", "B"), False),
        ("who", ("B", "C"), False),
        ("tasks", (), True),
        ("some", ("D",), True),
    ]
    assert text.labels == config.labels == ("A", "B", "C", "D")
    writers = [text.control_of(label) for label in "ABCE"]
    assert [control and control.from_name for control in writers] == ["label", "label", "who", None]
    assert text.control("who") == text.controls[1]
    assert text.control("empty") is None


def test_configuration_made_by_hand_has_one_control() -> None:
    assert LabelConfig.of_one_text(["A", "B", "A"]) == labels('<Label value="A"/>', '<Label value="B"/>')


def test_annotations_name_a_label_by_name_value_alias_or_earlier_name() -> None:
    config = labels(
        '<Label value="Person" alias="PER"/>', '<Label value="LOC"/>', '<Label value="$unknown" alias="X"/>'
    )
    renamed = config.with_renamed({"Place": "LOC", "PER": "LOC", "City": "GPE", "Human": "PER"})
    names = ["PER", "Person", "LOC", "Place", "Human", "City", "person", "$unknown", ["LOC"], None]
    named = ["PER", "PER", "LOC", "LOC", "PER", None, None, "X", None, None]
    assert [renamed.texts[0].label_named(name) for name in names] == named
    assert config.texts[0].label_named("Place") is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("Human", "Person", None),
        ("Human", "PER", None),
        ("Human", "ORG", "no label 'ORG', use one of its labels: PER, LOC"),
        ("Person", "LOC", "'Person' is a label of the configuration"),
        ("", "LOC", "'' is a label"),
    ],
)
def test_only_a_label_that_is_gone_can_be_mapped_to_one_that_is_there(old: str, new: str, says: str | None) -> None:
    config = labels('<Label value="Person" alias="PER"/>', '<Label value="LOC"/>')
    if says is None:
        assert config.target_of(old, new) == "PER"
    else:
        with pytest.raises(ValueError, match=says):
            config.target_of(old, new)


def test_text_may_be_behind_an_address() -> None:
    config = LabelConfig.from_xml(view(LABELS, '<Text name="text" value="$url" valueType="url"/>'))
    assert config.texts[0].is_url
    assert not LabelConfig.from_xml(view(LABELS, '<Text name="text" value="$url" valueType="text"/>')).texts[0].is_url


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
        (view(LABELS.replace("text", "html"), '<HyperText name="html" value="$html"/>', TEXT), "<HyperText>"),
        (view(LABELS.replace('toName="text"', 'toName="txt"'), TEXT), 'toName="txt"'),
        (view(LABELS.replace(' toName="text"', ""), TEXT), "toName=(missing)"),
        (view(LABELS, '<Text name="text" value="Hello"/>'), 'value="Hello"'),
        (view(LABELS, '<Text name="text" value="$"/>'), 'value="$"'),
        (view(LABELS, '<Text name="text" value="$技术描述"/>'), "$技术描述"),
        (view(LABELS, '<Text name="text" value="$ticket-text"/>'), "rename the field"),
        (view(LABELS, '<Text name="text" value="Dear ${name}"/>'), "${…}"),
        (view(LABELS, '<Text name="text" value="Dear $name."/>'), "$name."),
        (view(LABELS, TEXT, LABELS.replace("text", "t"), '<Text name="t" value="$my-text"/>'), "$my-text"),
        (view(LABELS, '<Text name="text"/>'), "value=(missing)"),
        (view(LABELS, '<Text name="text" value="$url" valueType="image"/>'), "valueType"),
        (view(LABELS, '<Text name="text" value="$text" encoding="base64"/>'), "encoding"),
        (view('<Labels name="label" toName="text"/>', TEXT), "has no labels"),
        (
            view('<Labels name="label" toName="text"><Label background="red"/></Labels>', TEXT),
            "has no labels",
        ),
        (view('<Labels name="label" toName="text" value="$options"/>', TEXT), "from each task"),
        (view('<Labels name="label" toName="text"><Label value="$val1"/></Labels>', TEXT), "$val1"),
        (view('<ParagraphLabels name="l" toName="d"/><Paragraphs name="d" value="$dialogue"/>'), "<Paragraphs>"),
        (view('<Labels name="l" toName="d"><Label value="A"/></Labels><Paragraphs name="d"/>'), "<Paragraphs>"),
        (view('<Chat name="chat" value="$chat"/><Choices name="c" toName="chat"/>'), "<Chat>"),
        (
            view('<HyperTextLabels name="l" toName="text"><Label value="A"/></HyperTextLabels>', TEXT),
            "<HyperTextLabels>",
        ),
        (view('<RectangleLabels name="l" toName="i"/><Image name="i" value="$i"/>'), "<RectangleLabels>"),
        (
            view(LABELS.replace('"text"', '"t_{{idx}}"'), '<Text name="t_{{idx}}" value="$pages[{{idx}}].text"/>'),
            "<Repeater>",
        ),
        (view('<Taxonomy name="t" toName="text"><Choice value="x"/></Taxonomy>', TEXT), "<Taxonomy>"),
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


@pytest.mark.parametrize(
    "comment", ["<!-- <!DOCTYPE x> -->", "<!-- a --><!-- <!ENTITY b> -->", "<![CDATA[<!DOCTYPE]]>"]
)
def test_declaration_in_a_comment_is_none(comment: str) -> None:
    assert LabelConfig.from_xml(view(comment, LABELS, TEXT)).labels == ("A", "B")


@pytest.mark.parametrize(
    "hidden",
    [
        "<?x <!-- ?><!DOCTYPE x []><?x --> ?>",
        "<?x <![CDATA[ ?><!DOCTYPE x []><?x ]]> ?>",
        "<!-- --><!DOCTYPE x []>",
        "<!DOCTYPE x [<!-- --> <!ENTITY a 'b'>]>",
    ],
)
def test_declaration_beside_a_comment_is_refused(hidden: str) -> None:
    with pytest.raises(UnsupportedLabelConfig, match="DOCTYPE"):
        LabelConfig.from_xml(hidden + view(LABELS, TEXT))


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
    assert basics(LabelConfig.from_xml(template("restaurant"))) == [
        (
            ["label"],
            "text",
            "$text",
            ("Amenity", "Cuisine", "Dish", "Hours", "Location", "Price", "Rating", "Restaurant_Name"),
        )
    ]


def test_restaurant_template_has_a_colour_and_a_number_key_for_each_label() -> None:
    elements = list(ET.fromstring(template("restaurant")).iter("Label"))
    assert [label.get("hotkey") for label in elements] == list("12345678")
    assert [label.get("background") for label in elements] == [
        "red",
        "darkorange",
        "orange",
        "green",
        "darkblue",
        "blue",
        "purple",
        "#842",
    ]


def test_conll2003_template_has_its_four_types_and_knows_their_other_names() -> None:
    config = LabelConfig.from_xml(template("conll2003"))
    assert basics(config) == [(["label"], "text", "$text", ("PER", "ORG", "LOC", "MISC"))]
    assert [config.resolve(name) for name in ("PERSON", "GPE", "organization", "DATE")] == ["PER", "LOC", "ORG", None]


@pytest.mark.parametrize("name", ["nowhere", "", "../label_config/restaurant", "restaurant.xml"])
def test_unknown_template_names_those_there_are(name: str) -> None:
    with pytest.raises(ValueError, match="restaurant"):
        template(name)
