from __future__ import annotations

import random

import pytest

from backend.web.dashboard.colours import label_colours, luminance
from label_config import LabelConfig


def config(*labels: str) -> LabelConfig:
    elements = "".join(f"<Label {label}/>" for label in labels)
    return LabelConfig.from_xml(
        f'<View><Labels name="l" toName="t">{elements}</Labels><Text name="t" value="$text"/></View>'
    )


@pytest.mark.parametrize(
    ("written", "background", "text"),
    [
        ("#ffb53e", "#ffb53e", "#000000"),
        ("#842", "#884422", "#ffffff"),
        ("darkorange", "#ff8c00", "#000000"),
        ("DarkBlue", "#00008b", "#ffffff"),
        (" red ", "#ff0000", "#000000"),
    ],
)
def test_colours_are_the_projects_own(written: str, background: str, text: str) -> None:
    label_colour = label_colours(config(f'value="Dish" background="{written}"'))["Dish"]
    assert (label_colour.background, label_colour.text, label_colour.css) == (background, text, "label-0")


@pytest.mark.parametrize("written", ["", "none", "url(javascript:alert(1))", "red}body{display:none", "#12", "&#34;"])
def test_invalid_colour_is_replaced_by_a_generated_one(written: str) -> None:
    labels = label_colours(config(f'value="Dish" background="{written}"', 'value="Price"'))
    assert all(
        len(label_colour.background) == 7 and label_colour.background.startswith("#")
        for label_colour in labels.values()
    )
    assert labels["Dish"].background != labels["Price"].background


def test_labels_that_only_versions_have_get_a_colour_too() -> None:
    assert list(label_colours(config('value="Dish"'), ["Price", "Dish"])) == ["Dish", "Price"]
    assert list(label_colours(None, ["Price"])) == ["Price"]


def test_text_is_readable_on_any_colour() -> None:
    chance = random.Random(2)
    for _ in range(500):
        colour = f"#{chance.randrange(1 << 24):06x}"
        label_colour = label_colours(config(f'value="Dish" background="{colour}"'))["Dish"]
        light, dark = sorted((luminance(label_colour.background), luminance(label_colour.text)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5
