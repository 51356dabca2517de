"""How often the promotion gate errs, on simulated versions of known quality.

    python -m bench.gate [--trials 200] [--chains 20] [--json]

The first table has the share of candidates that the gate rejects, by held-out documents and by the candidate's true
loss of F1. The second has forty versions of one project in a row, under rules of different strictness.

The documents imitate short queries with two entities on average. Two versions of equal quality reach F1 0.8, and 9 of
100 entities are found by only one of them: on the MIT restaurant corpus, two versions trained on 300 texts with
different seeds reached 0.61, and only one of them found 10 of 100 entities.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.random import Generator

from backend.evaluation import gate
from backend.evaluation.bootstrap import Ints
from backend.evaluation.counts import Confusion, Counts
from backend.evaluation.evaluate import LabelMetrics, Metrics
from backend.settings import Settings

DOCUMENTS = (3, 12, 26, 80, 700)
LOSSES = (-0.02, 0.0, 0.02, 0.05, 0.1, 0.3)
SHARES = (0.5, 0.8, gate.REJECTING_SHARE, 0.95)

VERSIONS, CHAIN_DOCUMENTS, GAIN, SPREAD, BROKEN = 40, 80, 0.001, 0.01, 0.02
"""A chain: versions become better in a linear trend, vary at random around it, and a few of them are broken."""

_ENTITIES = (0.01, 0.26, 0.48, 0.22, 0.03)
_EASY, _CONTESTED, _HARD = 0.71, 0.18, 0.11
_SAME_ERROR = 0.75

TOLERANCE: float = Settings.model_fields["promotion_tolerance"].default


class HeldOut:
    """Held-out documents with easy, contested and hard entities: found by every version, by half of them, by none."""

    def __init__(self, documents: int, random: Generator) -> None:
        self._random = random
        self._gold = random.choice(len(_ENTITIES), size=documents, p=_ENTITIES)
        self._easy, self._contested, self._hard = random.multinomial(self._gold, (_EASY, _CONTESTED, _HARD)).T
        self._same_errors = random.binomial(self._hard, _SAME_ERROR)

    def version(self, quality: float) -> Metrics:
        """Metrics of a version of true F1 0.8 + ``quality``; for each entity it misses, it predicts a wrong one."""
        won = self._random.binomial(self._contested, min(1.0, 0.5 + max(quality, 0.0) / _CONTESTED))
        lost = self._random.binomial(self._easy, min(1.0, max(-quality, 0.0) / _EASY))
        correct = self._easy - lost + won
        wrong = lost + self._contested - won + self._same_errors + self._random.binomial(self._hard, 1 - _SAME_ERROR)
        return _metrics(correct, correct + wrong, self._gold)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--chains", type=int, default=20)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    rejected = [rejections(documents, options.trials, random) for documents in DOCUMENTS]
    chains = [chain(share, options.chains, random) for share in SHARES]
    _print(rejected, chains)
    if options.json:
        print(json.dumps({"bench": "gate", "tolerance": TOLERANCE, "rejected": rejected, "chains": chains}))


def rejections(documents: int, trials: int, random: Generator) -> dict[str, Any]:
    """Share of candidates that the gate rejects, by their true loss of F1."""
    shares = {}
    for loss in LOSSES:
        samples = (HeldOut(documents, random) for _ in range(trials))
        rejected = sum(not _promoted(held_out.version(-loss), held_out.version(0.0)) for held_out in samples)
        shares[f"{loss:g}"] = rejected / trials
    return {"documents": documents, "rejected": shares}


def chain(share: float, chains: int, random: Generator) -> dict[str, float]:
    """Simulate versions in a row on the same documents; ``rejected`` is the mean share of them that was rejected.

    ``gain`` is the mean true F1 of the serving version less that with every version promoted; ``stuck`` is the share of
    chains in which five versions or more were rejected in a row.
    """
    with patch.object(gate, "REJECTING_SHARE", share):
        runs = [list(_chain(HeldOut(CHAIN_DOCUMENTS, random), random)) for _ in range(chains)]
    rejected = [[not promoted for _, promoted in run] for run in runs]
    return {
        "share": share,
        "rejected": float(np.mean(rejected)),
        "gain": float(np.mean([gain for run in runs for gain, _ in run])),
        "stuck": float(np.mean([_longest(flags) >= 5 for flags in rejected])),
    }


def _chain(held_out: HeldOut, random: Generator) -> Iterator[tuple[float, bool]]:
    """For each version: true F1 of the serving version less its own, and whether it was promoted."""
    serving, quality = held_out.version(0.0), 0.0
    for number in range(1, VERSIONS + 1):
        truth = GAIN * number + random.normal(0, SPREAD)
        if random.random() < BROKEN:
            truth -= random.uniform(0.05, 0.4)
        candidate = held_out.version(truth)
        promoted = _promoted(candidate, serving)
        if promoted:
            serving, quality = candidate, truth
        yield quality - truth, promoted


def _promoted(candidate: Metrics, current: Metrics) -> bool:
    return gate.decide(candidate, current, labels=("X",), current_labels=("X",), tolerance=TOLERANCE).promote


def _metrics(correct: Ints, predicted: Ints, gold: Ints) -> Metrics:
    counts = Counts(("X",), correct[:, None], predicted[:, None], gold[:, None])
    scores = LabelMetrics.from_counts(int(correct.sum()), int(predicted.sum()), int(gold.sum()))
    return Metrics(len(gold), **asdict(scores), per_label={}, confusion=Confusion({}, {}, {}, {}), counts=counts)


def _longest(flags: Sequence[bool]) -> int:
    longest = length = 0
    for flag in flags:
        length = length + 1 if flag else 0
        longest = max(longest, length)
    return longest


def _print(rejected: Sequence[dict[str, Any]], chains: Sequence[dict[str, float]]) -> None:
    print(f"Share of candidates that are rejected, tolerance {TOLERANCE:g}")
    print(f"{'held-out documents':24}" + "".join(f"{_loss(loss):>18}" for loss in LOSSES))
    for row in rejected:
        print(f"{row['documents']:<24,}" + "".join(f"{share:18.0%}" for share in row["rejected"].values()))
    print(f"\n{VERSIONS} versions in a row, {CHAIN_DOCUMENTS} held-out documents")
    print(f"{'rejects at':24}{'rejected':>18}{'F1 gained':>18}{'five in a row':>18}")
    for row in chains:
        print(f"{row['share']:<24.0%}{row['rejected']:18.0%}{row['gain']:18.4f}{row['stuck']:18.0%}")


def _loss(loss: float) -> str:
    if not loss:
        return "equally good"
    return f"{100 * abs(loss):g} points " + ("worse" if loss > 0 else "better")


if __name__ == "__main__":
    main()
