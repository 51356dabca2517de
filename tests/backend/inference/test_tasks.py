from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from backend.errors import TextDelayed, TextUnavailable
from backend.inference.tagger import OfferedLabels, Tagging
from backend.inference.tasks import TaskPrediction, UntrainedTagger, predict_tasks, read_texts
from converters import Span, TextNotLoaded
from label_config import LabelConfig
from tests.backend.fakes import LABEL_CONFIG, SushiTagger

TWO_TEXTS = """<View>
  <Text name="head" value="$title"/><Labels name="kinds" toName="head"><Label value="Cuisine"/></Labels>
  <Text name="body" value="$doc.body"/>
  <Labels name="dishes" toName="body"><Label value="Dish"/></Labels>
  <Labels name="more" toName="body"><Label value="Cuisine"/></Labels>
</View>"""

CONFIG = LabelConfig.from_xml(TWO_TEXTS)
ONE_TEXT = LabelConfig.from_xml(LABEL_CONFIG)


class WordTagger:
    """Finds "sushi" as a Dish and "Thai" as a Cuisine; parts have ``size`` texts. ``calls`` are the labels passed."""

    labels = ("Dish", "Cuisine")

    def __init__(self, size: int = 3, scores: Sequence[float] = ()) -> None:
        self.size = size
        self.scores = scores
        self.calls: list[OfferedLabels | None] = []

    def tag_parts(self, texts: Sequence[str], labels: OfferedLabels | None = None) -> Iterator[list[Tagging]]:
        self.calls.append(labels)
        scores = self.scores or [1.0] * len(texts)
        taggings = [
            Tagging(tuple(_spans(text, offered)), score)
            for text, offered, score in zip(texts, labels or [None] * len(texts), scores, strict=True)
        ]
        for start in range(0, len(taggings), self.size):
            yield taggings[start : start + self.size]


def _spans(text: str, offered: Any) -> Iterator[Span]:
    for word, label in (("sushi", "Dish"), ("Thai", "Cuisine")):
        if word in text and (offered is None or label in offered):
            yield Span(text.index(word), text.index(word) + len(word), label, 0.9)


def two(title: Any = None, body: Any = None) -> dict[str, Any]:
    """A task with two texts."""
    return {"data": {"title": title, "doc": {"body": body}}}


def predictions(
    tagger: Any, tasks: Sequence[Any], config: LabelConfig = CONFIG, **options: Any
) -> list[TaskPrediction]:
    return [prediction for part in predict_tasks(tagger, read_texts(tasks, config), **options) for prediction in part]


def shown(prediction: TaskPrediction) -> list[tuple[str, str, str, str]]:
    """Where each region is, and what it says."""
    return [
        (region["from_name"], region["to_name"], region["value"]["labels"][0], region["value"]["text"])
        for region in prediction.regions
    ]


def test_regions_name_their_text_and_the_control_that_has_the_label() -> None:
    [prediction] = predictions(WordTagger(), [two("Thai food", "sushi or Thai")])
    assert shown(prediction) == [
        ("kinds", "head", "Cuisine", "Thai"),
        ("dishes", "body", "Dish", "sushi"),
        ("more", "body", "Cuisine", "Thai"),
    ]


def test_label_is_offered_only_on_the_texts_that_have_it() -> None:
    tagger = WordTagger()
    [prediction] = predictions(tagger, [two("sushi", "sushi")])
    assert shown(prediction) == [("dishes", "body", "Dish", "sushi")]
    assert tagger.calls == [[("Cuisine",), None]]


def test_region_ids_are_unique_in_a_task() -> None:
    [prediction] = predictions(WordTagger(), [two("Thai", "Thai")])
    ids = [region["id"] for region in prediction.regions]
    assert len(set(ids)) == len(ids) == 2


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_each_task_gets_one_prediction_wherever_parts_end(size: int) -> None:
    tasks = [two("Thai" * (number % 2), "sushi" * (number % 3 > 0)) for number in range(7)]
    parts = list(predict_tasks(WordTagger(size), read_texts(tasks, CONFIG)))
    assert [len(prediction.regions) for part in parts for prediction in part] == [0, 2, 1, 1, 1, 2, 0]
    assert all(parts)


@pytest.mark.parametrize(
    ("config", "labels"),
    [
        (ONE_TEXT, None),  # it has more labels than the model
        (LabelConfig.of_one_text(["Dish", "Cuisine"]), None),
        (LabelConfig.of_one_text(["Dish"]), None),  # a label was removed after the training
        (LabelConfig.of_one_text(["Dish", "New"]), None),
        (LabelConfig.of_one_text(["Food", "Cuisine"]).with_renamed({"Dish": "Food"}), None),
    ],
)
def test_decoding_is_restricted_only_where_the_model_has_other_labels(config: LabelConfig, labels: Any) -> None:
    tagger = WordTagger()
    predictions(tagger, [{"data": {"text": "Thai"}}, {"data": {"text": "sushi"}}], config)
    assert tagger.calls == [labels]


def test_region_of_a_label_that_is_gone_does_not_become_one_of_another_label() -> None:
    [prediction] = predictions(WordTagger(), [{"data": {"text": "Thai sushi"}}], LabelConfig.of_one_text(["Cuisine"]))
    assert [region["value"]["text"] for region in prediction.regions] == ["Thai"]
    [prediction] = predictions(WordTagger(), [{"data": {"text": "Thai sushi"}}], LabelConfig.of_one_text(["Other"]))
    assert prediction.regions == []


@pytest.mark.parametrize(
    "config",
    [
        LabelConfig.of_one_text(["Food", "Cuisine"]).with_renamed({"Dish": "Food"}),
        LabelConfig.from_xml(
            '<View><Text name="text" value="$text"/><Labels name="label" toName="text">'
            '<Label value="Dish" alias="Food"/><Label value="Cuisine"/></Labels></View>'
        ),
    ],
    ids=["mapped", "alias given later"],
)
def test_label_that_was_renamed_after_the_training_has_its_name_of_today(config: LabelConfig) -> None:
    [prediction] = predictions(WordTagger(), [{"data": {"text": "Thai sushi"}}], config)
    assert [region["value"]["labels"] for region in prediction.regions] == [["Food"], ["Cuisine"]]


def test_score_is_that_of_the_least_sure_text() -> None:
    tagger = WordTagger(scores=[0.9, 0.4, 0.7, 0.8])
    assert [prediction.score for prediction in predictions(tagger, [two("a", "b"), two("c", "d")])] == [0.4, 0.7]


@pytest.mark.parametrize(
    ("task", "score"),
    [
        (two("four", "eleven char"), 1 / 12),
        (two("four", None), 1 / 5),
        (two("four", ""), 1 / 5),
        (two(None, "four"), 1 / 5),
        (two(), 1.0),
        ({}, 1.0),
        ({"data": 7}, 1.0),
        ("no task", 1.0),
    ],
)
def test_missing_text_does_not_count(task: Any, score: float) -> None:
    assert [prediction.score for prediction in predictions(SushiTagger(), [task])] == [score]


def test_project_without_a_version_gets_empty_predictions_of_score_0() -> None:
    assert predictions(UntrainedTagger(), [two("Thai", "sushi"), two()]) == [TaskPrediction([], 0.0)] * 2


def test_marked_words_are_suggested_on_their_own_text() -> None:
    task = two("pad Thai, Pad thai, soup", "Thai pad soup, pad thai")
    marked = [(Span(0, 8, "Cuisine"),), ()]
    [prediction] = predictions(WordTagger(), [task], marked=marked)
    assert [(name, text) for _, name, _, text in shown(prediction)] == [("head", "Pad thai"), ("body", "Thai")]


def test_tasks_without_any_text_are_named() -> None:
    tasks = [two("a", "b"), two(), two("a"), 7, two(None, "")]
    assert read_texts(tasks, CONFIG).without_text == [1, 3]
    assert read_texts([{"data": {"text": text}} for text in ("a", None, "")], ONE_TEXT).without_text == [1]


URL_TEXTS = LabelConfig.from_xml(TWO_TEXTS.replace('value="$title"', 'value="$title" valueType="url"'))


@pytest.mark.parametrize(
    ("error", "delayed"),
    [
        (TextNotLoaded("no such file"), frozenset()),
        (TextUnavailable("no such file"), frozenset()),
        (TextDelayed("no such file"), frozenset({0})),
    ],
)
def test_task_whose_text_cannot_be_loaded_has_no_texts(error: Exception, delayed: frozenset[int]) -> None:
    def load(url: str) -> str:
        if url == "/gone":
            raise error
        return f"Thai from {url}"

    texts = read_texts([two("/gone", "sushi"), two("/a", "sushi"), two(None, "sushi")], URL_TEXTS, load=load)
    assert texts.texts == [None, None, "Thai from /a", "sushi", None, "sushi"]
    assert (texts.unavailable, texts.delayed) == ({0: "no such file"}, delayed)
    answers = [prediction for part in predict_tasks(SushiTagger(), texts) for prediction in part]
    assert [(len(prediction.regions), prediction.score) for prediction in answers] == [
        (0, 1.0), (1, 1 / 13), (1, 1 / 6),
    ]  # fmt: skip
