from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from backend.errors import TextDelayed
from backend.inference.phrases import PhraseTagger
from backend.label_studio.rewrite import rewrite_predictions
from backend.store.phrases import PHRASES
from converters import LoadText
from converters.phrases import Phrase
from label_config import LabelConfig
from tests.backend.fakes import LABEL_CONFIG, FakeLabelStudio
from tests.backend.label_studio.syncing import CONFIG, run_sync

TEXTS = {1: "sushi", 2: "ramen", 3: "sushi and ramen", 4: ""}


def rewrite(
    studio: FakeLabelStudio,
    *phrases: Phrase,
    config: LabelConfig = CONFIG,
    load: LoadText | None = None,
    keep_going: Callable[[], bool] = lambda: True,
) -> int | None:
    return rewrite_predictions(
        studio, 7, version=PHRASES, tagger=PhraseTagger(phrases), config=config, load=load, keep_going=keep_going
    )


@pytest.fixture
def studio() -> FakeLabelStudio:
    """Its stored predictions are those of the phrase "sushi"."""
    studio = FakeLabelStudio()
    studio.texts = dict(TEXTS)
    studio.page = 2
    run_sync(studio, PHRASES, tagger=PhraseTagger([Phrase("sushi", "Dish")]))
    return studio


@pytest.mark.parametrize(
    ("phrases", "replaced"),
    [
        ([Phrase("sushi", "Dish")], []),
        ([Phrase("sushi", "Dish", 3, 5)], []),
        ([Phrase("sushi", "Dish"), Phrase("ramen", "Dish")], [2, 3]),
        ([Phrase("sushi", "Cuisine")], [1, 3]),
        ([], [1, 3]),
    ],
)
def test_predictions_whose_regions_changed_are_replaced(
    phrases: list[Phrase], replaced: list[int], studio: FakeLabelStudio
) -> None:
    assert rewrite(studio, *phrases) == len(replaced)
    assert studio.replaced == replaced
    assert rewrite(studio, *phrases) == 0


def test_tasks_that_are_labelled_meanwhile_keep_theirs(studio: FakeLabelStudio) -> None:
    studio.annotate(1)
    assert rewrite(studio) == 1
    assert studio.replaced == [3]


def test_predictions_of_others_stay(studio: FakeLabelStudio) -> None:
    run_sync(studio, "bert-1")
    before = {key: prediction for key, prediction in studio.stored.items() if key[1] == "bert-1"}
    rewrite(studio)
    assert before.items() <= studio.stored.items()


def test_rewrite_that_must_stop_replaces_no_more(studio: FakeLabelStudio) -> None:
    checks = count()
    assert rewrite(studio, keep_going=lambda: next(checks) < 1) is None
    assert studio.replaced == [1]


def test_task_whose_text_did_not_arrive_keeps_its_prediction(studio: FakeLabelStudio) -> None:
    def load(url: str) -> str:
        if url == "sushi":
            raise TextDelayed("The text did not arrive.")
        return url

    config = LabelConfig.from_xml(LABEL_CONFIG.replace('value="$text"', 'value="$text" valueType="url"'))
    rewrite(studio, config=config, load=load)
    assert studio.replaced == [3]
