"""An imported model becomes a version like any other: mapped, compared, served, and trained further."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForTokenClassification

from backend.errors import Conflict, UnusableModel
from backend.evaluation.verdict import explain
from backend.inference.imported import Imported
from backend.inference.tagger import Tagging
from backend.loop import Loop
from backend.store.models import Version
from backend.training.base_model.encoder import load_classifier
from backend.training.entity_types import map_types
from backend.training.import_model import ImportedVersion, ProjectTexts, import_model
from converters import Document, Span
from converters.bio import tag_set
from label_config import LabelConfig, generate
from tests.backend.fakes import LABEL_CONFIG, UID, SushiTagger
from tests.backend.imported.conftest import SENTENCES, Save
from tests.backend.imported.models import IOB2

TEXTS = SENTENCES[:10]
CONFIG = LabelConfig.from_xml(LABEL_CONFIG)  # Dish, Cuisine, Location

Import = Callable[..., ImportedVersion]


@pytest.fixture
def imported(loop: Loop, classifier_of: Save) -> Import:
    """Import the small classifier into the project: PER is no label of it, LOC is its Location."""
    loop.register_project(UID, title="Restaurants", label_config=LABEL_CONFIG)

    def imported(
        source: Path | None = None,
        *,
        documents: tuple[Document, ...] = (),
        texts: tuple[str, ...] = TEXTS,
        **given: str,
    ) -> ImportedVersion:
        return import_model(
            loop.registry, loop.store, UID, str(source or classifier_of()), ProjectTexts(CONFIG, documents, texts),
            given=given, aggregation="first", tolerance=0.005,
        )  # fmt: skip

    return imported


def labelled(*spans: Span, count: int = 400) -> tuple[Document, ...]:
    """Labelled documents, a tenth of which is held out."""
    return tuple(Document(str(number), SENTENCES[number % len(SENTENCES)], spans) for number in range(count))


def test_version_that_was_trained_from_files_is_imported(imported: Import, loop: Loop, version_folder: Path) -> None:
    result = imported(version_folder)
    assert (set(result.version.labels), result.promoted) == ({"Dish", "Cuisine", "Location"}, True)
    text = "Who makes the best ramen for kids?"
    (tagging,) = loop.predict(UID, [text]).taggings
    assert [(text[span.start : span.end], span.label) for span in tagging.spans] == [("ramen", "Dish")]


def test_first_version_is_an_imported_model_that_serves_at_once(imported: Import, loop: Loop) -> None:
    result = imported()
    assert (result.version.name, result.version.labels, result.promoted) == ("ner-v1", ["Location"], True)
    assert result.labels == {"PER": None, "LOC": "Location", "MISC": None}
    assert loop.store.projects.current_version(UID) == "ner-v1"
    answer = loop.predict(UID, list(TEXTS))
    assert answer.version == "ner-v1"
    assert {span.label for tagging in answer.taggings for span in tagging.spans} == {"Location"}
    assert loop.store.syncs.pending(UID) is not None


def test_files_say_where_the_model_came_from(imported: Import, loop: Loop, classifier_of: Save) -> None:
    result = imported(PER="Dish")
    folder = loop.registry.folder(UID, result.version.name)
    card, info = (folder / "README.md").read_text(), json.loads((folder / "metrics.json").read_text())
    assert f"`{classifier_of()}`, imported" in card
    assert "| `PER` | `Dish` |" in card
    assert "| `MISC` | none, left out |" in card
    assert "F1 unknown: " in card
    assert info["imported"]["labels"] == {"PER": "Dish", "LOC": "Location", "MISC": None}
    assert isinstance(info["int8"]["published"], bool)
    assert Imported.read(folder) is not None


def test_version_that_serves_is_compared_on_the_held_out_tasks(
    imported: Import, loop: Loop, publish: Callable[..., Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("ner-v1")
    monkeypatch.setattr(loop.registry, "open", lambda *_: SushiTagger())
    documents = labelled(Span(0, 3, "Location"))
    result = imported(documents=documents)
    assert result.decision.rule == "bootstrap"
    assert (result.decision.documents or 0) >= 30
    assert result.version.metrics["documents"] == result.decision.documents
    assert result.decision.compared_with == "ner-v1"


def test_worse_model_does_not_replace_the_version_that_serves(
    imported: Import, loop: Loop, publish: Callable[..., Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("ner-v1", labels=("Location",))
    monkeypatch.setattr(loop.registry, "open", lambda *_: Perfect())
    result = imported(documents=labelled(Span(0, 3, "Location")))
    assert (result.promoted, result.decision.rule) == (False, "bootstrap")
    assert loop.store.projects.current_version(UID) == "ner-v1"
    assert loop.store.versions.usable(UID, "ner-v2").name == "ner-v2"


@pytest.mark.parametrize(("count", "rule"), [(0, "no_held_out_entities"), (60, "too_few_documents")])
def test_version_that_serves_stays_where_too_few_tasks_are_held_out(
    count: int,
    rule: str,
    imported: Import,
    loop: Loop,
    publish: Callable[..., Version],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish("ner-v1")
    monkeypatch.setattr(loop.registry, "open", lambda *_: SushiTagger())
    result = imported(documents=labelled(Span(0, 3, "Location"), count=count))
    assert (result.promoted, result.decision.rule) == (False, rule)
    assert explain(result.decision).startswith("rejected: ")
    assert loop.store.projects.current_version(UID) == "ner-v1"


class Perfect:
    """A model that knows every region of `labelled` documents."""

    labels = ("Location",)

    def tag(self, texts: Sequence[str], labels: object = None) -> list[Tagging]:
        return [Tagging((Span(0, 3, "Location"),), 1.0) for _ in texts]


def test_training_continues_from_the_encoder_and_the_rows_of_mapped_labels(
    imported: Import, loop: Loop, classifier_of: Save
) -> None:
    folder = loop.registry.folder(UID, imported().version.name)
    tags = tag_set(["Dish", "Location"])
    model, _ = load_classifier("embedded", ["Dish", "Location"], start=folder)
    source = AutoModelForTokenClassification.from_pretrained(classifier_of())
    embeddings = "bert.embeddings.word_embeddings.weight"
    ours, theirs = model.get_parameter("classifier.weight"), source.get_parameter("classifier.weight")
    assert torch.equal(model.get_parameter(embeddings), source.get_parameter(embeddings))
    for tag, earlier in (("O", "O"), ("B-Location", "B-LOC"), ("I-Location", "I-LOC")):
        assert torch.equal(ours[tags.index(tag)], theirs[IOB2.index(earlier)])
    assert not torch.equal(ours[tags.index("B-Dish")], theirs[IOB2.index("B-PER")])


def test_nothing_changes_where_no_type_has_a_label(loop: Loop, classifier_of: Save) -> None:
    loop.register_project(UID, label_config=LABEL_CONFIG)
    project = ProjectTexts(LabelConfig.of_one_text(["Dish"]), (), TEXTS)
    with pytest.raises(UnusableModel, match=r"None of the model's types of entities \(PER, LOC, MISC\) is a label"):
        import_model(
            loop.registry, loop.store, UID, str(classifier_of()), project, given={}, aggregation="first", tolerance=0.0
        )
    assert loop.versions(UID) == []
    assert not any((loop.registry.model_dir / ".importing").glob("*"))


def test_tokenizer_that_drops_words_is_refused(imported: Import) -> None:
    texts = ("\x07 \x08 ramen", "\x07 pad \x08 thai")
    with pytest.raises(UnusableModel, match=r"The tokenizer of .* drops . of .* words of this project"):
        imported(
            texts=tuple(
                text.replace("\u200b", "\x07").replace("\u200d", "\x07").replace("\ufeff", "\x07") for text in texts
            )
        )


def test_run_in_progress_is_not_disturbed(imported: Import, loop: Loop) -> None:
    loop.train(UID, reason="button")
    loop.store.runs.claim()
    with pytest.raises(Conflict, match="A training run of this project is in progress"):
        imported()


def test_import_without_texts_serves_in_fp32(imported: Import) -> None:
    assert imported(texts=()).promoted


# Labels


CORPUS = LabelConfig.from_xml(
    '<View><Text name="text" value="$text"/><Labels name="label" toName="text">'
    '<Label value="Person"/><Label value="Organisation"/><Label value="Place" predicted_values="GPE,FAC"/>'
    '<Label value="Restaurant_Name"/><Label value="Time" alias="DATE"/></Labels></View>'
)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("PER", "Person"), ("person", "Person"), ("PERSON", "Person"), ("Pers", "Person"), ("ORG", "Organisation"),
        ("Organization", "Organisation"), ("GPE", "Place"), ("fac", "Place"), ("place", "Place"), ("DATE", "DATE"),
        ("time", "DATE"), ("Restaurant Name", "Restaurant_Name"), ("LOC", None), ("MISC", None), ("Dish", None),
    ],
)  # fmt: skip
def test_types_are_found_by_name_and_usual_synonym_and_never_guessed(name: str, label: str | None) -> None:
    assert map_types([name, "PER"], CORPUS, {})[name] == label


def test_given_labels_come_first() -> None:
    assert map_types(["PER", "LOC"], CORPUS, {"LOC": "Place", "PER": "Organisation"}) == {
        "PER": "Organisation",
        "LOC": "Place",
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"LOCATION": "Place"}, "The model has no type of entity 'LOCATION': its types are PER, LOC."),
        ({"LOC": "Planet"}, "The project has no label 'Planet' for LOC: its labels are Person, Organisation"),
    ],
)
def test_given_labels_must_exist(given: dict[str, str], sentence: str) -> None:
    with pytest.raises(UnusableModel, match=sentence):
        map_types(["PER", "LOC"], CORPUS, given)


def test_two_labels_that_fit_are_no_choice() -> None:
    config = LabelConfig.from_xml(generate(["Pers", "PERSON name", "person_"]))
    with pytest.raises(UnusableModel):
        map_types(["PER"], config, {})
