"""An imported model finds what ``transformers.pipeline`` finds with it, whatever its tokenizer and its tags."""

from __future__ import annotations

import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import pipeline

from backend.errors import ModelError
from backend.inference.imported import AGGREGATIONS, Aggregation, Imported, RunDecoder, UnusableTags, read_tags
from backend.inference.tagger import Tagger
from backend.training.base_model.classifier import open_classifier
from backend.training.base_model.encoder import quiet
from backend.training.onnx.export import export
from converters.bio import tag_set
from tests.backend.imported.conftest import SENTENCES, Save
from tests.backend.imported.models import FAMILIES, IOB2

PARTS = (
    "🍜", "😀👍🏽", "寿司", "東京で", "Café", "Cafe\u0301", "naïve", " ", "  ", "Ünïcödé", "—", "…", "don't", "(Rome)",
    "3.5€", "\n", "\t", "नमस्ते", "مطعم", "ﬁne", "\u200b", "½", "A.B.C.", "x" * 30, "#hash", "e-mail@home.org",
)  # fmt: skip


def messy_texts(count: int) -> list[str]:
    """Sentences with emoji, scripts without spaces, accents, punctuation and double spaces at random places."""
    generator = random.Random(7)
    texts = []
    for _ in range(count):
        words = generator.choice(SENTENCES).split(" ")
        for _ in range(generator.randint(0, 5)):
            words.insert(generator.randint(0, len(words)), generator.choice(PARTS))
        texts.append(generator.choice((" ", " ", "  ")).join(words))
    return texts


def version_of(folder: Path, source: Path, aggregation: Aggregation = "first", **labels: str | None) -> Path:
    classifier = open_classifier(str(source))
    export(classifier.model, classifier.tokenizer, folder)
    Imported(
        str(source), classifier.scheme, classifier.tags, labels or {name: name for name in classifier.types},
        aggregation, classifier.subword_prefix, classifier.unknown,
    ).write(folder)  # fmt: skip
    return folder


def found_by_pipeline(source: Path, aggregation: Aggregation, texts: list[str]) -> list[list[tuple[str, int, int]]]:
    """The pipeline's entities, without the spaces that pieces may contain."""
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make: Any = pipeline
        ner = make("ner", model=str(source), aggregation_strategy=aggregation, device=-1)
        answers = [ner(text) for text in texts]
    return [
        [found for entity in answer if (found := _trimmed(text, entity))]
        for text, answer in zip(texts, answers, strict=True)
    ]


def _trimmed(text: str, entity: dict[str, Any]) -> tuple[str, int, int] | None:
    covered = text[entity["start"] : entity["end"]]
    start = entity["start"] + len(covered) - len(covered.lstrip())
    return (entity["entity_group"], start, start + len(covered.strip())) if covered.strip() else None


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_entities_are_those_of_the_pipeline(
    family: str, aggregation: Aggregation, classifier_of: Save, tmp_path: Path
) -> None:
    source, texts = classifier_of(family), messy_texts(60)
    tagger = Tagger.load(version_of(tmp_path, source, aggregation), device="cpu")
    found = [[(span.label, span.start, span.end) for span in tagging.spans] for tagging in tagger.tag(texts)]
    expected = found_by_pipeline(source, aggregation, texts)
    assert sum(map(len, expected)) > 200
    assert found == expected


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\ud800", "a\ud800b"])
def test_any_text_is_tagged(text: str, classifier_of: Save, tmp_path: Path) -> None:
    tagger = Tagger.load(version_of(tmp_path, classifier_of("Unigram")), device="cpu")
    [tagging] = tagger.tag([text])
    assert 0.0 <= tagging.score <= 1.0
    assert all(text[span.start : span.end].strip() for span in tagging.spans)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_text_longer_than_the_model_allows_is_tagged_to_its_end(
    aggregation: Aggregation, classifier_of: Save, tmp_path: Path
) -> None:
    tagger = Tagger.load(version_of(tmp_path, classifier_of(), aggregation), device="cpu")
    text = " ".join(SENTENCES)
    [tagging] = tagger.tag([text])
    assert max(span.end for span in tagging.spans) > len(text) - 100


def test_types_have_the_labels_they_are_mapped_to_and_others_are_left_out(classifier_of: Save, tmp_path: Path) -> None:
    source = classifier_of()
    everything = Tagger.load(version_of(tmp_path / "all", source), device="cpu")
    mapped = Tagger.load(version_of(tmp_path / "some", source, PER="Person", LOC=None, MISC="Person"), device="cpu")
    assert (everything.labels, mapped.labels) == (("PER", "LOC", "MISC"), ("Person",))
    for full, some in zip(everything.tag(SENTENCES), mapped.tag(SENTENCES), strict=True):
        assert [(span.start, span.end) for span in some.spans] == [
            (span.start, span.end) for span in full.spans if span.label != "LOC"
        ]


def test_text_that_offers_some_labels_gets_no_others(classifier_of: Save, tmp_path: Path) -> None:
    tagger = Tagger.load(version_of(tmp_path, classifier_of()), device="cpu")
    taggings = tagger.tag(SENTENCES, [("LOC",)] * len(SENTENCES))
    assert {span.label for tagging in taggings for span in tagging.spans} == {"LOC"}


def test_damaged_file_is_named(classifier_of: Save, tmp_path: Path) -> None:
    folder = version_of(tmp_path, classifier_of())
    (folder / "imported.json").write_text('{"source": "x"}', encoding="utf-8")
    with pytest.raises(ModelError, match=r"imported\.json is damaged"):
        Tagger.load(folder, device="cpu")


# Tags


@pytest.mark.parametrize(
    ("names", "scheme"),
    [
        (IOB2, "IOB2"),
        (("O", "I-PER", "I-LOC"), "IO"),
        (("O", "PER", "LOC"), "IO"),
        (("PER", "O"), "IO"),
        (("O", "B-LOC", "I-LOC", "I-PER"), "IOB1"),
        (("O", "B-PER"), "IOB2"),
        (("B-PER", "I-PER", "E-PER", "S-PER", "O"), "IOBES"),
        (("B-PER", "I-PER", "L-PER", "U-PER", "O"), "BILOU"),
        (("O", "B-T-shirt", "I-T-shirt"), "IOB2"),
    ],
)
def test_scheme_is_read_from_the_names(names: tuple[str, ...], scheme: str) -> None:
    assert read_tags(names)[0] == scheme


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("LABEL_0", "LABEL_1"), "its tags have no names"),
        (("B-PER", "I-PER"), "it has no tag O"),
        (("O", "E-PER", "U-PER"), "follow none of"),
        ((), "it has no tag O"),
    ],
)
def test_tags_that_mark_no_regions_are_refused(names: tuple[str, ...], reason: str) -> None:
    with pytest.raises(UnusableTags, match=reason):
        read_tags(names)


def decoder(*tags: str) -> RunDecoder:
    return RunDecoder(Imported("x", "", tags, {"X": "X", "Y": "Y"}))


@pytest.mark.parametrize(
    ("tags", "sequence", "regions"),
    [
        (("O", "B-X", "I-X"), "O B-X I-X O I-X", [(1, 3), (4, 5)]),
        (("O", "B-X", "I-X"), "B-X B-X I-X", [(0, 1), (1, 3)]),
        (("O", "B-X", "I-X", "B-Y", "I-Y"), "I-X I-Y I-Y B-X", [(0, 1), (1, 3), (3, 4)]),
        (("O", "X", "Y"), "X X Y O X", [(0, 2), (2, 3), (4, 5)]),
        (("O", "B-X", "I-X", "E-X", "S-X"), "S-X S-X B-X I-X E-X I-X", [(0, 1), (1, 2), (2, 5), (5, 6)]),
        (("O", "B-X", "I-X", "L-X", "U-X"), "B-X L-X U-X I-X L-X O", [(0, 2), (2, 3), (3, 5)]),
        (("O", "B-X"), "O O", []),
    ],
)
def test_runs_of_tags_are_regions(tags: tuple[str, ...], sequence: str, regions: list[tuple[int, int]]) -> None:
    ids = np.array([tags.index(tag) for tag in sequence.split()])
    firsts, afters, labels = decoder(*tags).regions(ids, np.array([len(ids)]))
    assert list(zip(firsts.tolist(), afters.tolist(), strict=True)) == regions
    assert len(labels) == len(regions)


def test_no_region_reaches_into_the_next_text() -> None:
    ids = np.array([1, 2, 2, 2])
    firsts, afters, _ = decoder("O", "B-X", "I-X").regions(ids, np.array([2, 0, 2]))
    assert list(zip(firsts.tolist(), afters.tolist(), strict=True)) == [(0, 2), (2, 4)]


@pytest.mark.parametrize(
    ("tags", "rows"),
    [
        (("I-PER", "O", "B-PER"), {0: 1, 1: 2, 2: 0}),
        (("O", "PER"), {0: 0, 1: 1, 2: 1}),
        (("O", "I-PER", "B-LOC", "I-LOC"), {0: 0, 1: 1, 2: 1}),
        (("O", "B-PER", "I-PER", "E-PER", "S-PER"), {0: 0, 1: 1, 2: 2}),
        (("O", "B-LOC", "I-LOC"), {0: 0}),
    ],
)
def test_rows_of_the_head_are_those_of_mapped_labels(tags: tuple[str, ...], rows: dict[int, int]) -> None:
    assert Imported("x", "", tags, {"PER": "Person", "LOC": None}).head_rows(tag_set(["Person", "Dish"])) == rows
