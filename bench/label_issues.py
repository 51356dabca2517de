"""How many wrong labels the search for them finds: 5 % of the corpus's regions are spoilt, and the ranking is counted.

    python -m bench.label_issues [--sentences 1500] [--full] [--share 0.05] [--seed 1] [--data FOLDER] [--json]

Two corruptions, each on the same sentences of ``train.bio``: ``mixed`` (a quarter each: another label, a boundary moved
by one word, a region dropped, a region invented where there is none) and ``labels`` (another label for all). Of N
spoilt regions, precision is the share of the first N label issues that are among them; mistakes the corpus had before count
as false. Beside it, two other rankings of the marked regions: by the confidence of a tagger that was trained, as a
version is, on the same spoilt sentences, which is what a model that serves can say for free, and by chance.
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
from backend.training.devices import Devices
from backend.training.emissions import Emissions
from backend.training.examples import Collator, make_examples
from backend.training.fine_tune import fine_tune
from backend.training.label_issues import IssueCandidate, rank
from bench.corpus import DEFAULT, Sentence, sentences
from bench.corpus_model import LABELS, documents
from converters import Document, Span
from converters.bio import spans_to_tags, tag_set

CORRUPTIONS = {"mixed": ("other label", "moved boundary", "dropped", "invented"), "labels": ("other label",)}

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Flip:
    """One spoilt region: what the corpus marked (``None`` where it was invented), and what is marked now."""

    document: str
    kind: str
    was: Span | None
    now: Span | None

    def is_meant_by(self, candidate: IssueCandidate) -> bool:
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
    parser.add_argument("--sentences", type=int, default=1500, help="how many of train.bio to spoil and to search")
    parser.add_argument("--full", action="store_true", help="all sentences: what the documentation quotes")
    parser.add_argument("--share", type=float, default=0.05, help="of the regions to spoil")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return parser.parse_args()


def measure(
    corpus: Sequence[Sentence], size: int, *, share: float, seed: int, labels: Sequence[str] = LABELS
) -> Figures:
    """Every corruption of a sample of the corpus, and what each ranking finds of it."""
    clean = documents(random.Random(seed).sample(corpus, min(size, len(corpus))))
    recipe = Recipe(base="embedded", seed=seed)
    found = {
        name: _measure(*spoil(clean, kinds, labels, share=share, seed=seed), labels, recipe)
        for name, kinds in CORRUPTIONS.items()
    }
    return {"bench": "label_issues", "sentences": len(clean), "share": share, "seed": seed, **found}


def _measure(spoilt: list[Document], flips: list[Flip], labels: Sequence[str], recipe: Recipe) -> Figures:
    began = time.perf_counter()
    ours = rank(spoilt, cross_validate(spoilt, labels=labels, recipe=recipe, progress=lambda _: None), labels=labels)
    searched = time.perf_counter()
    confidence = by_confidence(spoilt, _seen(spoilt, labels, recipe), labels)
    trained = time.perf_counter()
    regions = sum(len(document.spans) for document in spoilt)
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
    """``precision`` at the number flipped, ``recall_at_twice`` as many; by kind, how many the first N name of how many.

    A spoilt region that two label issues name counts once.
    """
    number = len(flips)
    first, twice = (found(ranking[:many], flips) for many in (number, 2 * number))
    kinds, named = Counter(flip.kind for flip in flips), Counter(flip.kind for flip in first)
    return {
        "precision": len(first) / max(number, 1),
        "recall_at_twice": len(twice) / max(number, 1),
        "by_kind": {kind: [named[kind], total] for kind, total in kinds.items()},
    }


def found(ranking: Sequence[IssueCandidate], flips: Sequence[Flip]) -> set[Flip]:
    """The spoilt regions that label issues name."""
    of_document: dict[str, list[Flip]] = {}
    for flip in flips:
        of_document.setdefault(flip.document, []).append(flip)
    return {
        flip for candidate in ranking for flip in of_document.get(candidate.document, ()) if flip.is_meant_by(candidate)
    }


def by_confidence(
    corpus: Sequence[Document], emissions: Sequence[Floats], labels: Sequence[str]
) -> list[IssueCandidate]:
    """All marked regions; first those to whose words' tags the model gives the lowest probability (geometric mean)."""
    ids = {tag: index for index, tag in enumerate(tag_set(labels))}
    candidates = []
    for document, scores in zip(corpus, emissions, strict=True):
        words, tags, *_ = spans_to_tags(document.text, document.spans)
        chosen = scores[np.arange(len(tags)), [ids[tag] for tag in tags]] if len(tags) else scores[:, 0]
        for span in document.spans:
            inside = [chosen[number] for number, word in enumerate(words) if overlap(word, span)]
            sure = float(np.exp(np.mean(inside)))
            text = document.text[span.start : span.end]
            candidates.append(IssueCandidate(document.id, text, span, (), "wrong label", "", 1.0 - sure))
    return sorted(candidates, key=lambda candidate: candidate.score, reverse=True)


def _seen(corpus: Sequence[Document], labels: Sequence[str], recipe: Recipe) -> list[Floats]:
    """What a model says of the very documents that it was trained on."""
    model, tokenizer, _ = fine_tune(corpus, (), labels=labels, recipe=recipe, progress=lambda _: None)
    devices = Devices.found()
    torch.nn.Module.to(model, devices.device)
    examples = make_examples(corpus, labels=labels, tokenizer=tokenizer)
    emissions = Emissions(examples, labels, devices, Collator(pad_id=tokenizer.pad_token_id or 0))
    return emissions.of_documents(emissions.of_windows(model))


# Spoiling


def spoil(
    corpus: Sequence[Document], kinds: Sequence[str], labels: Sequence[str], *, share: float, seed: int
) -> tuple[list[Document], list[Flip]]:
    """Spoil as many regions as ``share`` of the corpus's, the kinds in turn, at most one of each kind's a place."""
    chance = random.Random(seed)
    spoilt = {document.id: document for document in corpus}
    wanted = round(share * sum(len(document.spans) for document in corpus))
    places = [(document.id, span) for document in corpus for span in document.spans]
    chance.shuffle(places)
    flips: list[Flip] = []
    for name, span in places:
        if len(flips) == wanted:
            break
        flip = _flip(spoilt[name], span, kinds[len(flips) % len(kinds)], labels, chance)
        if flip:
            flips.append(flip)
            spoilt[name] = _with(spoilt[name], flip)
    return list(spoilt.values()), flips


def _flip(document: Document, span: Span, kind: str, labels: Sequence[str], chance: random.Random) -> Flip | None:
    """A corruption of one kind, at a region or, where one is invented, elsewhere in its text; ``None``: impossible."""
    if kind == "other label":
        label = chance.choice([each for each in labels if each != span.label])
        return Flip(document.id, kind, span, replace(span, label=label))
    if kind == "dropped":
        return Flip(document.id, kind, span, None)
    if kind == "moved boundary":
        moved = list(_moved(document, span))
        return Flip(document.id, kind, span, chance.choice(moved)) if moved else None
    free = [word for word in _words(document) if not any(overlap(word, each) for each in document.spans)]
    if not free:
        return None
    word = chance.choice(free)
    return Flip(document.id, kind, None, Span(word.start, word.end, chance.choice(labels)))


def _moved(document: Document, span: Span) -> Iterator[Span]:
    """The region with a word more or a word less at one end."""
    words = _words(document)
    inside = [number for number, word in enumerate(words) if overlap(word, span)]
    first, last = inside[0], inside[-1]
    others = [each for each in document.spans if each != span]
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
        one = report[name]
        print(f"{name}: {one['flipped']} of {one['regions']:,} regions in {report['sentences']:,} sentences are spoilt")
        print(f"  {'ranking':28}{'precision at N':>16}{'found in 2 N':>14}{'seconds':>10}")
        for title, side in (("cross-validated label_issues", one), ("confidence of the tagger", one["confidence"])):
            print(f"  {title:28}{side['precision']:16.1%}{side['recall_at_twice']:14.1%}{side['seconds']:10.0f}")
        print(f"  {'chance':28}{one['random']['precision']:16.1%}")
        parts = (f"{kind} {hit} of {total}" for kind, (hit, total) in one["by_kind"].items())
        print(f"  among the first N: {', '.join(parts)}")


if __name__ == "__main__":
    main()
