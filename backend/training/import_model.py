"""Makes a version of a token classifier that was trained elsewhere: it serves from the first minute."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from backend.errors import Conflict, ModelError, UnusableModel
from backend.evaluation.evaluate import Metrics, evaluate
from backend.evaluation.gate import GateDecision, Rule, decide
from backend.inference.imported import Aggregation, Imported
from backend.inference.pieces import without_surrogates
from backend.inference.tagger import Precision, Tagger
from backend.inference.tasks import read_texts
from backend.label_studio.client import LabelStudio
from backend.label_studio.texts import loader_of
from backend.registry import Registry
from backend.settings import Settings
from backend.store import Store
from backend.store.models import GATE, Version
from backend.training.base_model.classifier import Classifier, open_classifier
from backend.training.build import library_versions, write_info
from backend.training.entity_types import map_types
from backend.training.model_card import imported_model_card
from backend.training.onnx.export import export
from backend.training.onnx.precision import decide_precision
from backend.training.snapshot import take_snapshot
from backend.training.split import Split, divide
from converters.document import Document
from converters.tagged import TaggedDocument, tag_document
from label_config import LabelConfig

log = logging.getLogger(__name__)

MAX_TEXTS = 300
"""Texts without labels that are used to compare int8 with fp32, and to see what the tokenizer drops."""

MAX_DROPPED = 0.01
"""Largest share of words that the tokenizer may drop."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class ProjectTexts:
    """What a project has at the moment: its labels, labelled documents, and up to `MAX_TEXTS` texts without labels."""

    config: LabelConfig
    documents: Sequence[Document]
    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class ImportedVersion:
    """A version made of an imported model; ``promoted``: it serves. ``labels`` has the label of each type of entity."""

    version: Version
    decision: GateDecision
    promoted: bool
    labels: Mapping[str, str | None]


def read_project(store: Store, uid: str, label_studio: LabelStudio, settings: Settings) -> ProjectTexts:
    """Read what a project has now. Raises `ProjectReplaced`, `LabelStudioError` and ``UnsupportedLabelConfig``."""
    project = store.projects.get(uid)
    snapshot = take_snapshot(
        store, uid, label_studio, replace_annotations=False,
        open_loader=lambda config: loader_of(config, settings, project),
    )  # fmt: skip
    load = loader_of(snapshot.config, settings, project)
    texts: list[str] = []
    for page in label_studio.unlabelled_pages(project.id):
        read = read_texts([{"data": task.data} for task in page.tasks[:MAX_TEXTS]], snapshot.config, load=load)
        texts += [text for text in read.texts if text]
        if len(texts) >= MAX_TEXTS:
            break
    return ProjectTexts(snapshot.config, snapshot.documents, texts[:MAX_TEXTS])


def import_model(
    registry: Registry,
    store: Store,
    uid: str,
    source: str,
    project: ProjectTexts,
    *,
    given: Mapping[str, str],
    aggregation: Aggregation,
    tolerance: float,
    precision: Precision = "auto",
    progress: Progress = lambda *_: None,
) -> ImportedVersion:
    """Make a version of the model ``source`` (a folder or a name on the hub), and promote it if the gate agrees.

    ``given`` maps types of entities to labels (`map_types`). ``progress`` is called with what is done and the fraction
    of it. The version that serves goes on serving where anything fails. Raises `UnusableModel`, `BaseModelUnavailable`,
    and `Conflict` while a run of the project is in progress, which would take the same name.
    """
    if store.runs.latest(project=uid, states=("started",), limit=1):
        raise Conflict("A training run of this project is in progress: import the model after its end, or cancel it.")
    progress("opening", 0.0)
    classifier = open_classifier(source)
    imported = _imported(source, classifier, map_types(classifier.types, project.config, given), aggregation)
    subsets = _subsets(project)
    _check_tokenizer(source, classifier, (*subsets.train, *subsets.validation, *subsets.test))
    name = registry.next_name(uid)
    with registry.importing() as folder:
        began = time.perf_counter()
        progress("exporting", 0.2)
        export(classifier.model, classifier.tokenizer, folder)
        imported.write(folder)
        progress("comparing", 0.6)
        int8 = decide_precision(folder, subsets, wanted=precision)
        tagger = Tagger.load(folder, device="cpu", precision=int8.serving)
        metrics = evaluate(tagger, subsets.test)
        decision = _decide(
            metrics, _open_current(registry, store, uid), subsets.test, project.config,
            name=store.projects.current_version(uid), tolerance=tolerance,
        )  # fmt: skip
        info = {
            "name": name,
            "labels": list(tagger.labels),
            "imported": asdict(imported),
            "test": metrics.to_dict() if metrics else None,
            **int8.to_dict(),
            "seconds": {"importing": round(time.perf_counter() - began, 2)},
            "libraries": library_versions(),
        }
        write_info(folder, info, imported_model_card(info, test=metrics))
        progress("publishing", 0.95)
        version = registry.publish(
            uid, name, folder, run=None, labels=tagger.labels, metrics=metrics.to_dict() if metrics else {},
            decision=decision,
        )  # fmt: skip
    promoted = decision.promote
    if promoted:
        version = registry.promote(uid, name, actor=GATE)
    return ImportedVersion(version, decision, promoted, imported.labels)


def _imported(
    source: str, classifier: Classifier, labels: Mapping[str, str | None], aggregation: Aggregation
) -> Imported:
    return Imported(
        source, classifier.scheme, classifier.tags, dict(labels), aggregation,
        classifier.subword_prefix, classifier.unknown,
    )  # fmt: skip


def _subsets(project: ProjectTexts) -> Split:
    """The labelled documents in the sets of the split; texts without labels are with those to train on."""
    subsets = divide([tag_document(document, labels=project.config.labels) for document in project.documents])
    texts = (tag_document(Document(f"text {number}", text)) for number, text in enumerate(project.texts))
    return replace(subsets, train=(*subsets.train, *texts))


def _check_tokenizer(source: str, classifier: Classifier, documents: Sequence[TaggedDocument]) -> None:
    """Raise `UnusableModel` where the tokenizer drops so many words that the model does not see these texts."""
    dropped: list[str] = []
    total = 0
    for document in documents[:MAX_TEXTS]:
        encoding = classifier.tokenizer.backend_tokenizer.encode(
            without_surrogates(document.text), add_special_tokens=False
        )
        seen = {place for start, end in encoding.offsets for place in range(start, end)}
        lost = [word.text for word in document.words if seen.isdisjoint(range(word.start, word.end))]
        dropped += lost
        total += len(document.words)
    if len(dropped) > MAX_DROPPED * total:
        examples = ", ".join(dict.fromkeys(dropped[:50]))[:60]
        raise UnusableModel(
            f"The tokenizer of {source} drops {len(dropped):,} of {total:,} words of this project ({examples}): import "
            "a model that was made for the language of these texts."
        )


def _open_current(registry: Registry, store: Store, uid: str) -> Tagger | None:
    """The version that serves; ``None`` where none does or its files cannot be opened."""
    name = store.projects.current_version(uid)
    if name is None:
        return None
    try:
        return registry.open(uid, name)
    except ModelError as error:
        log.warning("%s is not compared with the imported model: %s", name, error)
        return None


def _decide(
    metrics: Metrics | None,
    current: Tagger | None,
    documents: Sequence[TaggedDocument],
    config: LabelConfig,
    *,
    name: str | None,
    tolerance: float,
) -> GateDecision:
    """Compare with the current version on all labels that it has: those that the imported model lacks are missed there.

    Where that cannot be measured, the current version, which knows the project's labels, stays.
    """
    names = {label: config.label_named(label) for label in current.labels} if current else {}
    labels = [label for label in names.values() if label is not None]
    decision = decide(
        metrics, evaluate(current, documents, names=names) if current else None,
        labels=labels, current_labels=labels, tolerance=tolerance, current_name=name,
    )  # fmt: skip
    if current is None or not decision.promote or decision.rule == "bootstrap":
        return decision
    rule: Rule = "no_held_out_entities" if decision.rule == "no_held_out_entities" else "too_few_documents"
    return GateDecision(promote=False, rule=rule, documents=decision.documents, compared_with=name)
