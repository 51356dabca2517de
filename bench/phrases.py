"""Phrases before the first version: F1 and precision of phrases, of a model, and of both, on few labelled sentences.

    python -m bench.phrases [--sizes 5 10 25 50] [--seeds 3] [--case] [--data FOLDER] [--json]

All learn the same sentences of ``train.bio`` and are scored on ``valid.bio``, by strict IOB2 over whole words. Both
together have the regions of one, and those of the other that overlap none of them. ``--case`` compares ways to compare
words instead, without a model: it also reads a corpus of ``word<TAB>TAG`` lines, ``train.tsv`` and ``devel.tsv``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any
from unittest.mock import patch

from backend.evaluation.evaluate import SpanTagger, evaluate, score
from backend.inference.phrases import PhraseTagger
from backend.inference.tagger import OfferedLabels, Tagger, Tagging
from backend.recipe import Recipe
from backend.training.fine_tuning.fine_tune import fine_tune
from backend.training.onnx.export import export
from bench.corpus import DEFAULT, Sentence
from bench.corpus_model import LABELS, tagged_documents
from bench.train import Corpus, alone_as_a_run
from converters import phrases as compared
from converters.document import Span
from converters.phrases import count_phrases
from converters.tagged import TaggedDocument

Figures = dict[str, Any]

SIZES = (5, 10, 25, 50)
SIDES = ("phrases", "model", "model_first", "phrases_first")

WAYS: Mapping[str, Callable[[str], str]] = {
    "as written": lambda word: word,
    "any case": str.casefold,
    "any case but capitals": compared._folded,
}
"""Ways to compare words; the last one is the one in use."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    report: Figures = {"bench": "phrases", "seeds": options.seeds}
    if options.case:
        report["case"] = compare_case(*_parts(options.data), options.sizes, options.seeds)
    else:
        report["sizes"] = [point(Corpus.read(options.data), size, options.seeds) for size in options.sizes]
    if options.json:
        print(json.dumps(report))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="numbers of labelled sentences")
    parser.add_argument("--seeds", type=int, default=3, help="how often sentences are drawn; figures are means")
    parser.add_argument("--case", action="store_true", help="compare ways to compare words")
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return parser.parse_args(arguments)


def point(corpus: Corpus, size: int, seeds: int) -> Figures:
    """The figures of one number of sentences, which are printed, too."""
    runs = [alone_as_a_run(measure, corpus.sample(size, seed=seed), corpus.valid, seed=seed) for seed in range(seeds)]
    means = {
        side: {figure: mean(run[side][figure] for run in runs) for figure in ("f1", "precision")} for side in SIDES
    }
    line = "; ".join(
        f"{side.replace('_', ' ')} F1 {row['f1']:.3f}, precision {row['precision']:.3f}" for side, row in means.items()
    )
    print(f"{size} sentences: {line}", flush=True)
    return {"sentences": size, **means}


def measure(train: Sequence[Sentence], held_out: Sequence[Sentence], *, seed: int) -> Figures:
    """Learn some sentences in the three ways, and score each on others."""
    documents, gold = tagged_documents(train), tagged_documents(held_out)
    phrases = PhraseTagger(count_phrases(documents))
    recipe = Recipe(base="embedded", seed=seed)
    model, tokenizer, _ = fine_tune(documents, [], labels=LABELS, recipe=recipe, progress=lambda _: None)
    with tempfile.TemporaryDirectory() as folder:
        export(model, tokenizer, Path(folder))
        tagger = Tagger.load(Path(folder), device="cpu", precision="fp32")
    sides: dict[str, SpanTagger] = {
        "phrases": phrases,
        "model": tagger,
        "model_first": Together(tagger, phrases),
        "phrases_first": Together(phrases, tagger),
    }
    return {side: _figures(of_side, gold) for side, of_side in sides.items()}


class Together:
    """The regions of one tagger, and those of another that overlap none of them."""

    labels = LABELS

    def __init__(self, first: SpanTagger, second: SpanTagger) -> None:
        self._first, self._second = first, second

    def tag(self, texts: Sequence[str], labels: OfferedLabels | None = None) -> list[Tagging]:
        pairs = zip(self._first.tag(texts, labels), self._second.tag(texts, labels), strict=True)
        return [Tagging(_joined(first, second), first.score) for first, second in pairs]


def _joined(first: Tagging, second: Tagging) -> tuple[Span, ...]:
    more = [span for span in second.spans if not any(_overlap(span, other) for other in first.spans)]
    return tuple(sorted([*first.spans, *more]))


def _overlap(span: Span, other: Span) -> bool:
    return span.start < other.end and other.start < span.end


def _figures(tagger: SpanTagger, gold: Sequence[TaggedDocument]) -> Figures:
    metrics = evaluate(tagger, gold) or score([], [])
    return {"f1": metrics.f1, "precision": metrics.precision}


def compare_case(
    train: Sequence[Sentence], held_out: Sequence[Sentence], sizes: Sequence[int], seeds: int
) -> list[Figures]:
    """Phrases alone, with words compared in each of the `WAYS`."""
    corpus, gold, rows = Corpus(list(train), [], []), tagged_documents(held_out), []
    for way, folded in WAYS.items():
        with patch.object(compared, "_folded", folded):
            for size in sizes:
                samples = [tagged_documents(corpus.sample(size, seed=seed)) for seed in range(seeds)]
                runs = [_figures(PhraseTagger(count_phrases(sample)), gold) for sample in samples]
                rows.append(
                    {"way": way, "sentences": size} | {name: mean(run[name] for run in runs) for name in runs[0]}
                )
                print(f"{way}, {size} sentences: F1 {rows[-1]['f1']:.3f}, precision {rows[-1]['precision']:.3f}")
    return rows


def _parts(folder: Path) -> tuple[list[Sentence], list[Sentence]]:
    """What is learnt and what is held out, in either layout."""
    if (folder / "train.tsv").exists():
        return _word_first(folder / "train.tsv"), _word_first(folder / "devel.tsv")
    corpus = Corpus.read(folder)
    return corpus.train, corpus.valid


def _word_first(file: Path) -> list[Sentence]:
    blocks = file.read_text(encoding="utf-8").strip().split("\n\n")
    return [[(word, tag) for word, _, tag in (row.partition("\t") for row in block.splitlines())] for block in blocks]


if __name__ == "__main__":
    main()
