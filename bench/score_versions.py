"""What it costs a run to score a project's versions on its held-out tasks, beside what the whole run costs.

    python -m bench.score_versions [--tasks 3000] [--held-out 1000] [--versions 10] [--data FOLDER] [--json]

A version is built from ``train.bio`` as a run does it, and an earlier one from a third of these tasks. Then so many
copies of the earlier one are scored on the first sentences of ``test.bio``, and the regions on which they differ from
the new version are listed, as at the end of each run. Prints the seconds of both, the share of the scoring in their
sum, and the size of what the database keeps of the comparison.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from backend.evaluation.evaluate import predict_tags, score_documents
from backend.evaluation.gate import GateDecision
from backend.inference.tagger import Tagger
from backend.recipe import Recipe
from backend.registry import Registry
from backend.store import Store
from backend.store.models import Run, Version
from backend.training.build import BuiltVersion, build_version
from backend.training.score_versions import outcome_of, score_versions
from bench.corpus import DEFAULT, Sentence, sentences
from bench.corpus_model import LABELS, documents, tagged_documents
from label_config import LabelConfig

UID = "1.1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=3000, help="labelled tasks of the run")
    parser.add_argument("--held-out", type=int, default=1000, help="tasks on which all versions are scored")
    parser.add_argument("--versions", type=int, default=10, help="earlier versions")
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        figures = measure(Path(scratch), options.data, options.tasks, options.held_out, options.versions)
    print(
        f"A run on {options.tasks:,} tasks takes {figures['run_seconds']:.0f} s; scoring {options.versions} versions "
        f"on {options.held_out:,} tasks takes {figures['scoring_seconds']:.1f} s ({figures['version_seconds']:.2f} s a "
        f"version), {figures['share']:.1%} of both together.\n"
        f"The comparison lists {figures['entities']:,} regions in {figures['comparison_kb']:,} kB."
    )
    if options.json:
        print(json.dumps({"bench": "score_versions", **figures}))


def measure(folder: Path, data: Path, tasks: int, held_out: int, versions: int) -> dict[str, float]:
    """Build two versions, score copies of the earlier one, and return the figures by name."""
    train, test = sentences(data / "train.bio")[:tasks], sentences(data / "test.bio")[:held_out]
    earlier, _ = _build(train[: tasks // 3], folder / "earlier")
    built, run_seconds = _build(train, folder / "new")
    registry = Registry(folder, Store(f"sqlite:///{folder / 'bench.db'}"))
    copies = [Version(project=UID, name=f"ner-v{number}", labels=list(LABELS)) for number in range(1, versions + 1)]
    for version in copies:
        shutil.copytree(earlier.folder, registry.folder(UID, version.name))
    tests = tuple(tagged_documents(test))
    predicted = predict_tags(Tagger.load(built.folder), tests)
    built = replace(built, test=tests, predicted=predicted, metrics=score_documents(tests, predicted))

    began = time.perf_counter()
    others = score_versions(registry, copies, built, LabelConfig.of_one_text(LABELS), lambda *_: None)
    decision = GateDecision(promote=True, rule="no_current_version", documents=held_out)
    comparison = outcome_of(decision, Run(id="run", project=UID), built, others, current="ner-v1")["comparison"]
    seconds = time.perf_counter() - began
    entities = comparison.entities if comparison else []
    return {
        "run_seconds": run_seconds,
        "scoring_seconds": seconds,
        "version_seconds": seconds / versions,
        "share": seconds / (seconds + run_seconds),
        "entities": len(entities),
        "comparison_kb": round(len(json.dumps(entities)) / 1000),
    }


def _build(train: list[Sentence], folder: Path) -> tuple[BuiltVersion, float]:
    """A version built from sentences, and the seconds that this takes."""
    recipe = Recipe(base="embedded")
    began = time.perf_counter()
    built = build_version(
        documents(train), labels=LABELS, name="ner-v0", recipe=recipe, folder=folder, progress=lambda *_: None
    )
    return built, time.perf_counter() - began


if __name__ == "__main__":
    main()
