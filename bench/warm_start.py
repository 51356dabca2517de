"""Training from the current version (a warm start) compared with training from the base model, as labels arrive.

    python -m bench.warm_start [--sentences 300] [--more 60] [--rounds 3] [--seeds 1] [--data FOLDER] [--json]

Simulates the loop: the first version is trained on some sentences of ``train.bio``. In each round more are labelled;
one side trains its next version from its last one, the other from the base model. Both have the same sentences, split
as in production, and are scored on ``test.bio`` by the served tagger. Seconds are those of training.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from backend.evaluation.evaluate import evaluate
from backend.inference.tagger import Tagger
from backend.recipe import Recipe
from backend.training.fine_tuning.fine_tune import fine_tune
from backend.training.onnx.export import export
from backend.training.split import split
from bench.corpus import DEFAULT
from bench.corpus_model import LABELS, tagged_documents
from bench.train import Corpus
from converters.tagged import TaggedDocument

Figures = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=300, help="labelled when the first version is trained")
    parser.add_argument("--more", type=int, default=60, help="labelled in each round after it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=1, help="how often all of it is done; figures are means")
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args(arguments)
    corpus = Corpus.read(options.data)
    sizes = [options.sentences + options.more * number for number in range(options.rounds + 1)]
    runs = [play(corpus, sizes, seed=seed) for seed in range(1, options.seeds + 1)]
    rounds = [_means([run[number] for run in runs]) for number in range(len(sizes))]
    print(f"{'sentences':>10}{'base F1':>10}{'seconds':>10}{'warm F1':>10}{'seconds':>10}")
    for row in rounds:
        print(
            f"{row['sentences']:10.0f}{row['base_f1']:10.4f}{row['base_seconds']:10.1f}"
            f"{row['warm_f1']:10.4f}{row['warm_seconds']:10.1f}"
        )
    if options.json:
        print(json.dumps({"bench": "warm_start", "rounds": rounds}))


def play(corpus: Corpus, sizes: Sequence[int], *, seed: int) -> list[Figures]:
    """One loop; in the first round both sides have the same version."""
    rounds: list[Figures] = []
    test = tagged_documents(corpus.test)
    with tempfile.TemporaryDirectory() as folder:
        last: Path | None = None
        for number, size in enumerate(sizes):
            labelled = tagged_documents(corpus.sample(size, seed=seed))
            base = _trained(labelled, test, Path(folder) / f"base-{number}", seed=seed, start=None)
            target = Path(folder) / f"warm-{number}"
            warm = _trained(labelled, test, target, seed=seed, start=last) if last else base
            last = target if last else Path(folder) / f"base-{number}"
            rounds.append(
                {"sentences": size, "base_f1": base[0], "base_seconds": base[1]}
                | {"warm_f1": warm[0], "warm_seconds": warm[1]}
            )
            print(rounds[-1], flush=True)
    return rounds


def _trained(
    labelled: Sequence[TaggedDocument], test: Sequence[TaggedDocument], folder: Path, *, seed: int, start: Path | None
) -> tuple[float, float]:
    """Train a version into ``folder``; return its F1 and the seconds of training."""
    subsets = split(labelled)
    recipe = Recipe(base="embedded", seed=seed)
    began = time.perf_counter()
    model, tokenizer, _ = fine_tune(
        subsets.train, subsets.validation, labels=LABELS, recipe=recipe, progress=lambda _: None, start=start
    )
    seconds = time.perf_counter() - began
    export(model, tokenizer, folder)
    metrics = evaluate(Tagger.load(folder, device="cpu", precision="fp32"), test)
    return metrics.f1 if metrics else 1.0, seconds


def _means(rounds: Sequence[Figures]) -> Figures:
    return {name: mean(row[name] for row in rounds) for name in rounds[0]}


if __name__ == "__main__":
    main()
