from __future__ import annotations

import pytest

from backend.inference.phrases import PhraseTagger, PhraseTaggers
from backend.store import Store
from converters.document import Span
from converters.phrases import Phrase
from tests.backend.fakes import LABEL_CONFIG, UID
from tests.samples import ODD_TEXTS

PHRASES = Phrase("pad thai", "Dish", 3, 4), Phrase("Boston", "Location")


def test_places_of_phrases_are_regions_with_the_share_that_was_marked() -> None:
    (tagging,) = PhraseTagger(PHRASES).tag(["🍣 Pad thai in BOSTON, Boston"])
    assert tagging.spans == (Span(2, 10, "Dish", 0.75), Span(22, 28, "Location", 1.0))
    assert tagging.score == 0.0


def test_labels_that_a_text_does_not_offer_are_not_found() -> None:
    texts = ["pad thai in Boston"] * 3
    taggings = PhraseTagger(PHRASES).tag(texts, [("Dish",), None, ()])
    assert [[span.label for span in tagging.spans] for tagging in taggings] == [["Dish"], ["Dish", "Location"], []]


def test_many_texts_come_in_parts_with_their_labels() -> None:
    texts = ["pad thai in Boston"] * 1000
    offered = [("Dish",) if number % 2 else ("Location",) for number in range(1000)]
    parts = list(PhraseTagger(PHRASES).tag_parts(texts, offered))
    assert len(parts) > 1
    labels = [span.label for part in parts for tagging in part for span in tagging.spans]
    assert labels == [of_text[0] for of_text in offered]


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
def test_odd_texts_get_one_tagging(text: str) -> None:
    (tagging,) = PhraseTagger([Phrase("Thai", "Cuisine"), Phrase("泰国菜", "Dish")]).tag([text])
    assert {text[span.start : span.end] for span in tagging.spans} <= {"Thai", "thai", "泰国菜"}


def test_labels_are_those_of_the_phrases() -> None:
    assert PhraseTagger(PHRASES).labels == ("Dish", "Location")


def test_tagger_is_built_anew_only_when_the_phrases_change(store: Store) -> None:
    store.projects.save(UID, label_config=LABEL_CONFIG)
    taggers = PhraseTaggers(store)
    assert taggers.get(UID).labels == ()
    store.phrases.save(UID, [Phrase("sushi", "Dish")], revision=1)
    tagger = taggers.get(UID)
    store.phrases.save(UID, [Phrase("sushi", "Dish", 2, 2)], revision=2)
    assert taggers.get(UID) is tagger
    store.phrases.save(UID, [Phrase("sushi", "Cuisine", 2, 2)], revision=3)
    assert taggers.get(UID).labels == ("Cuisine",)
