from __future__ import annotations

from typing import Any

import pytest

from label_config import LabelledText
from label_config.shown_text import fields, put_text, shown_text


@pytest.mark.parametrize(
    ("value", "data", "text"),
    [
        ("$text", {"text": "a"}, "a"),
        ("$text", {"text": ""}, ""),
        ("$text", {"text": 4821077}, "4821077"),
        ("$text", {"text": 12.5}, "12.5"),
        ("$text", {"text": True}, "true"),
        ("$text", {"text": ["Ana came", "Bo left"]}, "Ana came,Bo left"),
        ("$text", {"text": [1, None, ["b", 2.0]]}, "1,,b,2"),
        ("$text", {"text": None}, None),
        ("$Ticket Text", {"Ticket Text": "Ana came"}, None),
        ("$Ticket Text", {"Ticket": 7}, "7 Text"),
        ("$text", {"text": {"a": 1}}, None),
        ("$text", {"other": "a"}, None),
        ("$text", None, None),
        ("$text", ["a"], None),
        ("$doc.text", {"doc": {"text": "a"}}, "a"),
        ("$doc.text", {"doc.text": "a", "doc": {"text": "b"}}, "a"),
        ("$doc.text", {"doc": "a"}, None),
        ("$pages[0].text", {"pages": [{"text": "a"}, {"text": "b"}]}, "a"),
        ("$pages[1]", {"pages": ["a", "b"]}, "b"),
        ("$pages[2]", {"pages": ["a", "b"]}, None),
        ("$pages[x].y", {"pages": {"x": {"y": "a"}}}, "a"),
        ("$pages.1", {"pages": ["a", "b"]}, "b"),
        ("Subject: $subject, $body", {"subject": "Refund", "body": "Ana asked"}, "Subject: Refund, Ana asked"),
        ("Subject: $subject, $body", {"body": 7}, "Subject: undefined, 7"),
        ("$a and $a", {"a": "x$b"}, "x$b and x$b"),
        ("$a $b", {"a": None, "b": {}}, "null [object Object]"),
        ("$a $b", {"c": "x"}, None),
        ("价格：$price元 $n", {"price": 5, "n": 1}, "价格：5元 1"),
    ],
)
def test_text_is_what_the_editor_shows(value: str, data: Any, text: str | None) -> None:
    assert shown_text(value, data) == text
    assert LabelledText("text", value, ()).shown(data) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-3.25, "-3.25"),
        (0.1, "0.1"),
        (100.0, "100"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (0.000001, "0.000001"),
        (0.00000015, "1.5e-7"),
        (5e-324, "5e-324"),
        (2**53, "9007199254740992"),
        (2**53 + 1, "9007199254740992"),
        (12345678901234567890, "12345678901234567000"),
        (10**400, "Infinity"),
        (float("nan"), "NaN"),
    ],
)
def test_numbers_are_written_as_javascript_writes_them(number: float, text: str) -> None:
    assert shown_text("$n", {"n": number}) == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "names no field"),
        ("Hello", "names no field"),
        ("$", "names no field"),
        ("US$ only", "names no field"),
        ("${text}", "does not fill in"),
        ("a $b ${c}", "does not fill in"),
        ("$技术描述", "rename the field"),
        ("to $技术 from $b", "rename the field"),
        ("$größe", "rename the field"),
        ("x: $a $naïve", "rename the field"),
        ("$ticket-text", "rename the field"),
        ("$doc.my-text", "rename the field"),
        ("Dear $name. How are you?", "put a space after"),
        ("$a..b", "put a space after"),
        ("$a[0", "put a space after"),
    ],
)
def test_value_that_the_editor_cannot_show_has_a_reason(value: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        fields(value)


@pytest.mark.parametrize("value", ["$first-$second", "$a - b", "$name，你好", "$a$b", "($a)", "$a_1.b_2[0].c"])
def test_other_characters_beside_fields_are_part_of_the_text(value: str) -> None:
    assert fields(value)


def test_text_is_put_where_it_is_shown() -> None:
    data: dict[str, Any] = {}
    put_text(data, "$mail.subject", "Refund")
    put_text(data, "$mail.body", "Ana asked")
    put_text(data, "$note", "")
    assert data == {"mail": {"subject": "Refund", "body": "Ana asked"}, "note": ""}
    assert shown_text("$mail.subject", data) == "Refund"


@pytest.mark.parametrize("value", ["$a, $b", "Dear $a", "$pages[0].text"])
def test_text_cannot_be_put_into_several_fields(value: str) -> None:
    with pytest.raises(ValueError, match="more than one field"):
        put_text({}, value, "text")
