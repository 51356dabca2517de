"""How often the promotion gate errs: on versions whose true quality is known, since they are drawn, not trained.

    python -m bench.gate [--trials 200] [--chains 20] [--json]

The first table has the share of candidates it rejects, by held-out documents and by how much F1 the candidate truly
loses. The second lets forty versions of one project follow each other under rules of different strictness.

The documents imitate short queries with two entities on average. Two versions of equal quality reach F1 0.8 and only
one of them finds 9 of 100 entities: on the MIT restaurant corpus, two trained on 300 texts with different seeds reached
0.61, and it was 10 of 100.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.random import Generator

from backend.evaluation import gate
from backend.evaluation.counts import Confusion, Counts
from backend.evaluation.evaluate import Metrics
from backend.settings import Settings

DOCUMENTS = (3, 12, 26, 80, 700)
LOSSES = (-0.02, 0.0, 0.02, 0.05, 0.1, 0.3)
SHARES = (0.5, 0.8, gate.REJECTING_SHARE, 0.95)

VERSIONS, CHAIN_DOCUMENTS, GAIN, SPREAD, BROKEN = 40, 80, 0.001, 0.01, 0.02
"""A chain: each version gains on the one before, is better or worse by training's chance, and is rarely broken."""

_ENTITIES = (0.01, 0.26, 0.48, 0.22, 0.03)
_EASY, _CONTESTED, _HARD = 0.71, 0.18, 0.11
_WRONG_ALIKE = 0.75

TOLERANCE: float = Settings.model_fields["promotion_tolerance"].default


class HeldOut:
    """Documents of easy, contested and hard entities: found by every version, by half of them, by none."""

    def __init__(self, documents: int, random: Generator) -> None:
        self._random = random
        self._gold = random.choice(len(_ENTITIES), size=documents, p=_ENTITIES)
        self._easy, self._contested, self._hard = random.multinomial(self._gold, (_EASY, _CONTESTED, _HARD)).T
        self._alike = random.binomial(self._hard, _WRONG_ALIKE)

    def version(self, quality: float) -> Metrics:
        """What a version finds whose true F1 is 0.8 + ``quality``; for each entity it misses, it finds a wrong one."""
        won = self._random.binomial(self._contested, min(1.0, 0.5 + max(quality, 0.0) / _CONTESTED))
        lost = self._random.binomial(self._easy, min(1.0, max(-quality, 0.0) / _EASY))
        right = self._easy - lost + won
        wrong = lost + self._contested - won + self._alike + self._random.binomial(self._hard, 1 - _WRONG_ALIKE)
        return _metrics(right, right + wrong, self._gold)


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
    """Share of candidates that the gate rejects, by what they truly lose."""
    shares = {}
    for loss in LOSSES:
        drawn = (HeldOut(documents, random) for _ in range(trials))
        shares[f"{loss:g}"] = sum(not _promoted(one.version(-loss), one.version(0.0)) for one in drawn) / trials
    return {"documents": documents, "rejected": shares}


def chain(share: float, chains: int, random: Generator) -> dict[str, float]:
    """Let versions follow each other on the same documents; ``rejected`` is the mean share of them.

    ``gain`` is how much more F1 what serves truly has, on average, than if each version were promoted; ``stuck`` the
    share of chains in which five versions or more were rejected in a row.
    """
    with patch.object(gate, "REJECTING_SHARE", share):
        runs = [list(_chain(HeldOut(CHAIN_DOCUMENTS, random), random)) for _ in range(chains)]
    rejected = [[not promoted for _, promoted in run] for run in runs]
    return {
        "share": share,
        "rejected": float(np.mean(rejected)),
        "gain": float(np.mean([gained for run in runs for gained, _ in run])),
        "stuck": float(np.mean([_longest(one) >= 5 for one in rejected])),
    }


def _chain(held_out: HeldOut, random: Generator) -> Iterator[tuple[float, bool]]:
    """For each version: how much better is what serves after it, and whether it was promoted."""
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


def _metrics(right: Any, predicted: Any, gold: Any) -> Metrics:
    counts = Counts(("X",), *(each[:, None] for each in (right, predicted, gold)))
    precision, recall = right.sum() / max(predicted.sum(), 1), right.sum() / max(gold.sum(), 1)
    f1 = 2 * right.sum() / max(predicted.sum() + gold.sum(), 1)
    return Metrics(len(gold), precision, recall, f1, int(gold.sum()), {}, Confusion({}, {}, {}, {}), counts)


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
