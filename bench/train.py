"""Training time and quality: this project's fine-tuning compared with a notebook's, on the same encoder and texts.

    python -m bench.train [--sentences 600] [--seeds 1] [--full] [--curve FILE] [--data FOLDER] [--json]

Our side learns from ``train.bio``, selects its checkpoint by ``valid.bio``, and is exported and scored as it is served
(ONNX, Viterbi); the baseline is `bench.baseline_trainer`. They take turns, each in a process of its own. Seconds are
those of training alone, ours with its evaluation steps. F1 is over whole words by strict IOB2, and also, as in the
notebook, over every word piece of ``valid.bio``. ``--full`` takes all sentences and three seeds. ``--curve`` trains on
25, 50, … sentences instead, without validation on either side, prints F1 on ``test.bio`` and draws it (PNG or SVG).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any
from unittest.mock import patch

from seqeval.metrics import f1_score
from seqeval.scheme import IOB2

from backend.evaluation.evaluate import evaluate
from backend.inference.tagger import Tagger
from backend.recipe import Recipe
from backend.training.acceleration.environment import training_environment
from backend.training.fine_tuning.fine_tune import fine_tune
from backend.training.onnx.export import export
from bench.baseline_trainer import pieces_of, train_baseline
from bench.corpus import DEFAULT, Sentence, sentences
from bench.corpus_model import LABELS, documents, tagged_documents
from bench.learning_curve import SIZES, draw, point_line

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Corpus:
    train: list[Sentence]
    valid: list[Sentence]
    test: list[Sentence]

    @classmethod
    def read(cls, folder: Path) -> Corpus:
        return cls(*(sentences(folder / f"{part}.bio") for part in ("train", "valid", "test")))

    def sample(self, size: int, *, seed: int) -> list[Sentence]:
        """Some training sentences; a larger sample contains the smaller ones of the same seed."""
        return random.Random(seed).sample(self.train, len(self.train))[:size]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    corpus = Corpus.read(options.data)
    seeds = list(range(1, options.seeds + 1))
    report: Figures
    if options.curve:
        points = curve(corpus, seeds, options.sizes)
        report = {"bench": "train", "curve": points}
        draw(points, options.curve)
    else:
        report = {"bench": "train", "seeds": seeds, **compare(corpus, seeds, options.sentences)}
        print_table(report)
    if options.json:
        print(json.dumps(report))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=600, help="how many of train.bio to learn")
    parser.add_argument("--seeds", type=int, default=1, help="how often each side trains; figures are means")
    parser.add_argument("--full", action="store_true", help="all sentences, three seeds: what the documentation quotes")
    parser.add_argument("--curve", type=Path, metavar="FILE", help="draw the learning curve into this PNG or SVG")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="numbers of sentences on the curve")
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args(arguments)
    if options.full:
        options.sentences, options.seeds = 10**9, 3
    return options


def compare(corpus: Corpus, seeds: Sequence[int], size: int) -> Figures:
    """Train both sides once for each seed; figures are means over the seeds."""
    ours, baseline = [], []
    for seed in seeds:
        train = corpus.sample(size, seed=seed)
        baseline.append(alone(measure_baseline, train, corpus, seed=seed))
        ours.append(alone_as_a_run(measure_ours, train, corpus, seed=seed))
        print(f"seed {seed}: {_line(ours[-1])}; baseline {_line(baseline[-1])}", flush=True)
    report = means(ours) | {"sentences": len(train), "runs": ours}
    report["baseline"] = means(baseline) | {"runs": baseline}
    report["ratio_seconds"] = report["seconds"] / report["baseline"]["seconds"]
    return report


def alone(measure: Callable[..., Figures], *arguments: Any, **options: Any) -> Figures:
    """Measure in a process of its own, so that no caches and settings remain for the next measurement."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(measure, *arguments, **options).result()


def alone_as_a_run(measure: Callable[..., Figures], *arguments: Any, **options: Any) -> Figures:
    """Measure in a process with the environment of a training run."""
    with patch.dict(os.environ, training_environment()):
        return alone(measure, *arguments, **options)


def measure_ours(train: Sequence[Sentence], corpus: Corpus, *, seed: int, choose: bool = True) -> Figures:
    """Train, export and score by the served tagger; with ``choose``, valid.bio selects the weights."""
    recipe = Recipe(base="embedded", seed=seed)
    held_out = corpus.valid[: len(train) // 9] if choose else []  # as many as a split 80/10/10 would give
    began = time.perf_counter()
    model, tokenizer, info = fine_tune(
        tagged_documents(train), tagged_documents(held_out), labels=LABELS, recipe=recipe, progress=lambda _: None
    )
    seconds = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        export(model, tokenizer, Path(folder))
        tagger = Tagger.load(Path(folder), device="cpu", precision="fp32")
    tagged = [list(_corpus_tags(sentence, tagger)) for sentence in corpus.valid]
    return {
        "test_f1": _f1(tagger, corpus.test),
        "valid_f1": _f1(tagger, corpus.valid),
        "valid_wordpiece_f1": float(
            f1_score(*(_by_piece(tokenizer, corpus.valid, tags) for tags in (_gold(corpus.valid), tagged)))
        ),
        "seconds": seconds,
        "steps": info["steps"],
    }


def measure_baseline(train: Sequence[Sentence], corpus: Corpus, *, seed: int) -> Figures:
    """Train and score as the notebook does: the most probable tag of each word's first piece, or of every piece."""
    baseline = train_baseline(train, labels=LABELS, seed=seed)
    test, _ = baseline.predict(corpus.test)
    valid, pieces = baseline.predict(corpus.valid)
    gold = _gold(corpus.valid)
    return {
        "test_f1": _strict(_gold(corpus.test), test),
        "valid_f1": _strict(gold, valid),
        "valid_wordpiece_f1": float(f1_score(_by_piece(baseline.tokenizer, corpus.valid, gold), pieces)),
        "seconds": baseline.seconds,
    }


def curve(corpus: Corpus, seeds: Sequence[int], sizes: Sequence[int]) -> list[Figures]:
    """One point for each size below that of the corpus, and one for all of its sentences."""
    points = []
    for size in [*(size for size in sizes if size < len(corpus.train)), len(corpus.train)]:
        ours, baseline = [], []
        for seed in seeds:
            train = corpus.sample(size, seed=seed)
            ours.append(alone_as_a_run(measure_ours, train, corpus, seed=seed, choose=False))
            baseline.append(alone(measure_baseline, train, corpus, seed=seed))
        points.append({"sentences": size, **means(ours), "baseline": means(baseline)})
        print(point_line(points[-1]), flush=True)
    return points


def means(runs: Sequence[Figures]) -> Figures:
    """Means over the runs, by the names in the report."""
    names = {"test_f1": "test_f1_mean", "valid_f1": "valid_f1_mean", "valid_wordpiece_f1": "valid_wordpiece_f1_mean"}
    return {shown: mean(run[name] for run in runs) for name, shown in (names | {"seconds": "seconds"}).items()}


def print_table(report: Figures) -> None:
    print(f"{'':12}{'test F1':>10}{'valid F1':>10}{'by piece':>10}{'seconds':>10}")
    for name, side in (("ours", report), ("baseline", report["baseline"])):
        scores = "".join(f"{side[key]:10.4f}" for key in ("test_f1_mean", "valid_f1_mean", "valid_wordpiece_f1_mean"))
        print(f"{name:12}{scores}{side['seconds']:10.1f}")
    print(f"ours ÷ baseline, seconds of training: {report['ratio_seconds']:.2f}")


def _line(run: Figures) -> str:
    return f"test {run['test_f1']:.4f}, valid {run['valid_f1']:.4f}, {run['seconds']:.0f} s"


def _f1(tagger: Tagger, corpus: Sequence[Sentence]) -> float:
    metrics = evaluate(tagger, tagged_documents(corpus))
    return metrics.f1 if metrics else 1.0


def _strict(gold: list[list[str]], predicted: list[list[str]]) -> float:
    return float(f1_score(gold, predicted, mode="strict", scheme=IOB2))


def _gold(corpus: Sequence[Sentence]) -> list[list[str]]:
    return [[tag for _, tag in sentence] for sentence in corpus]


def _by_piece(tokenizer: Any, corpus: Sequence[Sentence], tags: Sequence[Sequence[str]]) -> list[list[str]]:
    return [pieces_of(tokenizer, sentence, sentence_tags) for sentence, sentence_tags in zip(corpus, tags, strict=True)]


def _corpus_tags(sentence: Sentence, tagger: Tagger) -> Iterator[str]:
    """The served tagger's tag of each word of the corpus; its words are separated by spaces."""
    (document,) = documents([sentence])
    (tagging,) = tagger.tag([document.text])
    position = 0
    for word, _ in sentence:
        end = position + len(word)
        covering = [span for span in tagging.spans if span.start < end and span.end > position]
        yield f"{'B' if covering[0].start >= position else 'I'}-{covering[0].label}" if covering else "O"
        position = end + 1


if __name__ == "__main__":
    main()
