"""How many wrong labels the search for label issues finds, of those put into a corpus on purpose.

    python -m bench.label_issues [--sentences 1500] [--full] [--share 0.05] [--seed 1] [--data FOLDER] [--json]

5 % of the regions are corrupted, in two ways, each on the same sentences of ``train.bio``: ``mixed`` (a quarter each:
another label, a boundary moved by one word, a region removed, a region added where there is none) and ``labels`` (all
get another label). Of N corrupted regions, precision is the share of the first N label issues that name one of them;
mistakes that the corpus had before count as false. Two other rankings of the regions are measured beside it: by the
confidence of a tagger trained on the same corrupted sentences, which a served model gives for free, and by chance.
``--full`` takes all sentences: what the documentation quotes.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.inference.decode import Floats
from backend.recipe import Recipe
from backend.training.cross_validation import cross_validate
from backend.training.fine_tuning.devices import Devices
from backend.training.fine_tuning.emissions import Emissions
from backend.training.fine_tuning.examples import Collator, make_examples
from backend.training.fine_tuning.fine_tune import fine_tune
from backend.training.label_issues import IssueCandidate, find_label_issues
from bench.corpus import DEFAULT, Sentence, sentences
from bench.corpus_model import LABELS, documents
from converters import Document, Span, TaggedDocument, tag_document
from converters.bio import spans_to_tags, tag_set

CORRUPTIONS = {"mixed": ("other label", "moved boundary", "dropped", "invented"), "labels": ("other label",)}

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Flip:
    """One corrupted region: the corpus's span (``None`` if it was added), and the new one (``None`` if removed)."""

    document: str
    kind: str
    was: Span | None
    now: Span | None

    def is_named_by(self, candidate: IssueCandidate) -> bool:
        if candidate.document != self.document:
            return False
        if self.now:
            return candidate.given is not None and (candidate.given.start, candidate.given.end) == (
                self.now.start,
                self.now.end,
            )
        return candidate.given is None and self.was is not None and overlap(candidate, self.was)


def main() -> None:
    options = _options()
    corpus = sentences(options.data / "train.bio")
    size = len(corpus) if options.full else options.sentences
    report = measure(corpus, size, share=options.share, seed=options.seed)
    print_table(report)
    if options.json:
        print(json.dumps(report))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=1500, help="how many of train.bio to corrupt and to search")
    parser.add_argument("--full", action="store_true", help="all sentences: what the documentation quotes")
    parser.add_argument("--share", type=float, default=0.05, help="share of the regions to corrupt")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return parser.parse_args()


def measure(
    corpus: Sequence[Sentence], size: int, *, share: float, seed: int, labels: Sequence[str] = LABELS
) -> Figures:
    """Corrupt a sample of the corpus in each way, and count what each ranking finds."""
    clean = documents(random.Random(seed).sample(corpus, min(size, len(corpus))))
    recipe = Recipe(base="embedded", seed=seed)
    figures = {
        name: _measure(*corrupt(clean, kinds, labels, share=share, seed=seed), labels, recipe)
        for name, kinds in CORRUPTIONS.items()
    }
    return {"bench": "label_issues", "sentences": len(clean), "share": share, "seed": seed, **figures}


def _measure(corrupted: list[Document], flips: list[Flip], labels: Sequence[str], recipe: Recipe) -> Figures:
    documents = [tag_document(document) for document in corrupted]
    began = time.perf_counter()
    emissions = cross_validate(documents, labels=labels, recipe=recipe, progress=lambda _: None)
    ours = find_label_issues(documents, emissions, labels=labels)
    searched = time.perf_counter()
    confidence = by_confidence(documents, _fitted_emissions(documents, labels, recipe), labels)
    trained = time.perf_counter()
    regions = sum(len(document.spans) for document in documents)
    return {
        "regions": regions,
        "flipped": len(flips),
        "label_issues": len(ours),
        **_counted(ours, flips),
        "seconds": searched - began,
        "confidence": {**_counted(confidence, flips), "seconds": trained - searched},
        "random": {"precision": sum(flip.now is not None for flip in flips) / max(regions, 1)},
    }


def _counted(ranking: Sequence[IssueCandidate], flips: Sequence[Flip]) -> Figures:
    """Of N flips: ``precision`` of the first N candidates, ``recall_at_twice`` of the first 2 N; ``by_kind`` how many
    flips the first N name, and how many there are.

    A flip that two candidates name counts once.
    """
    number = len(flips)
    first, twice = (named_flips(ranking[:length], flips) for length in (number, 2 * number))
    kinds, named = Counter(flip.kind for flip in flips), Counter(flip.kind for flip in first)
    return {
        "precision": len(first) / max(number, 1),
        "recall_at_twice": len(twice) / max(number, 1),
        "by_kind": {kind: [named[kind], total] for kind, total in kinds.items()},
    }


def named_flips(ranking: Sequence[IssueCandidate], flips: Sequence[Flip]) -> set[Flip]:
    """The flips that some candidates name."""
    by_document: dict[str, list[Flip]] = {}
    for flip in flips:
        by_document.setdefault(flip.document, []).append(flip)
    return {
        flip for candidate in ranking for flip in by_document.get(candidate.document, ()) if flip.is_named_by(candidate)
    }


def by_confidence(
    documents: Sequence[TaggedDocument], emissions: Sequence[Floats], labels: Sequence[str]
) -> list[IssueCandidate]:
    """All regions; first those whose tags have the lowest probability (the geometric mean over their words)."""
    ids = {tag: index for index, tag in enumerate(tag_set(labels))}
    candidates = []
    for document, scores in zip(documents, emissions, strict=True):
        tags = [ids[tag] for tag in document.tags]
        chosen = scores[np.arange(len(tags)), tags] if tags else scores[:, 0]
        for span in document.spans:
            inside = [chosen[number] for number, word in enumerate(document.words) if overlap(word, span)]
            confidence = float(np.exp(np.mean(inside)))
            candidates.append(
                IssueCandidate(
                    document=document.id,
                    text_name=document.text_name,
                    text=document.text[span.start : span.end],
                    given=span,
                    predicted=(),
                    kind="wrong label",
                    view="",
                    score=1.0 - confidence,
                )
            )
    return sorted(candidates, key=lambda candidate: candidate.score, reverse=True)


def _fitted_emissions(documents: Sequence[TaggedDocument], labels: Sequence[str], recipe: Recipe) -> list[Floats]:
    """The log-probabilities of a model for the very documents that it was trained on."""
    model, tokenizer, _ = fine_tune(documents, (), labels=labels, recipe=recipe, progress=lambda _: None)
    devices = Devices.detect()
    torch.nn.Module.to(model, devices.device)
    examples = make_examples(documents, labels=labels, tokenizer=tokenizer)
    emissions = Emissions(examples, labels, devices, Collator(pad_id=tokenizer.pad_token_id or 0))
    return emissions.by_document(emissions.by_window(model))


# Corruptions


def corrupt(
    corpus: Sequence[Document], kinds: Sequence[str], labels: Sequence[str], *, share: float, seed: int
) -> tuple[list[Document], list[Flip]]:
    """Corrupt a ``share`` of the corpus's regions, the kinds in turn; return the documents and what was changed."""
    chance = random.Random(seed)
    corrupted = {document.id: document for document in corpus}
    number = round(share * sum(len(document.spans) for document in corpus))
    regions = [(document.id, span) for document in corpus for span in document.spans]
    chance.shuffle(regions)
    flips: list[Flip] = []
    for name, span in regions:
        if len(flips) == number:
            break
        flip = _flip(corrupted[name], span, kinds[len(flips) % len(kinds)], labels, chance)
        if flip:
            flips.append(flip)
            corrupted[name] = _with(corrupted[name], flip)
    return list(corrupted.values()), flips


def _flip(document: Document, span: Span, kind: str, labels: Sequence[str], chance: random.Random) -> Flip | None:
    """A corruption of one kind: of this region or, for an added one, elsewhere in its text; ``None`` if impossible."""
    if kind == "other label":
        other = chance.choice([label for label in labels if label != span.label])
        return Flip(document.id, kind, span, replace(span, label=other))
    if kind == "dropped":
        return Flip(document.id, kind, span, None)
    if kind == "moved boundary":
        moved = list(_moved(document, span))
        return Flip(document.id, kind, span, chance.choice(moved)) if moved else None
    free = [word for word in _words(document) if not any(overlap(word, other) for other in document.spans)]
    if not free:
        return None
    word = chance.choice(free)
    return Flip(document.id, kind, None, Span(word.start, word.end, chance.choice(labels)))


def _moved(document: Document, span: Span) -> Iterator[Span]:
    """The region with a word more or a word less at one end."""
    words = _words(document)
    inside = [number for number, word in enumerate(words) if overlap(word, span)]
    first, last = inside[0], inside[-1]
    others = [other for other in document.spans if other != span]
    for left, right in ((first - 1, last), (first + 1, last), (first, last - 1), (first, last + 1)):
        if 0 <= left <= right < len(words):
            moved = Span(words[left].start, words[right].end, span.label)
            if not any(overlap(moved, other) for other in others):
                yield moved


def _words(document: Document) -> Sequence[Any]:
    return spans_to_tags(document.text, document.spans).words


def _with(document: Document, flip: Flip) -> Document:
    spans = [span for span in document.spans if span != flip.was]
    return replace(document, spans=tuple(sorted([*spans, flip.now] if flip.now else spans)))


def overlap(one: Any, other: Any) -> bool:
    """Whether two things with ``start`` and ``end`` share a character."""
    return bool(one.start < other.end and one.end > other.start)


def print_table(report: Figures) -> None:
    for name in CORRUPTIONS:
        figures = report[name]
        regions = f"{figures['flipped']} of {figures['regions']:,} regions in {report['sentences']:,} sentences"
        print(f"{name}: {regions} are corrupted")
        print(f"  {'ranking':28}{'precision at N':>16}{'found in 2 N':>14}{'seconds':>10}")
        for title, side in (("cross-validated", figures), ("confidence of the tagger", figures["confidence"])):
            print(f"  {title:28}{side['precision']:16.1%}{side['recall_at_twice']:14.1%}{side['seconds']:10.0f}")
        print(f"  {'chance':28}{figures['random']['precision']:16.1%}")
        parts = (f"{kind} {hit} of {total}" for kind, (hit, total) in figures["by_kind"].items())
        print(f"  among the first N: {', '.join(parts)}")


if __name__ == "__main__":
    main()
