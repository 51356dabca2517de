"""The benchmark runs, and prints what the documentation and other programs read. No figure is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.ceiling import flops
from bench.load import percentile
from bench.predict import f1, ratios
from converters.bio import spans_to_tags
from converters.document import Document, Span

ROOT = Path(__file__).parents[2]


@pytest.fixture
def corpus(tmp_path: Path, sample_documents: list[Document]) -> Path:
    """A folder laid out like the corpus: one ``TAG<TAB>word`` a line."""
    sentences = [spans_to_tags(document.text, document.spans) for document in sample_documents[:20]]
    rows = ["\n".join(f"{tag}\t{word.text}" for word, tag in zip(*one[:2], strict=True)) for one in sentences]
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.bio").write_text("\n\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.predict", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.slow
def test_prints_a_table_and_the_agreed_json(version_folder: Path, corpus: Path) -> None:
    small = ["--tasks", "12", "--rounds", "1", "--seconds", "0.3", "--bulk", "30"]
    done = run("--model", str(version_folder), "--data", str(corpus), *small, "--json")
    assert done.returncode == 0, done.stderr
    *table, last = done.stdout.splitlines()
    assert any(line.startswith("fp32 ÷ baseline") for line in table)
    report = json.loads(last)
    assert report["bench"] == "predict"
    for side in _measured(report):
        assert {"tasks_per_s", "p50_ms", "p95_ms", "rss_mb", "f1"} <= side.keys()
        assert list(side["concurrent"]) == ["1", "8", "32"]
        assert all(figures["tasks_per_s"] > 0 for figures in side["concurrent"].values())
    assert list(report["ratios"]) == ["fp32_tasks_per_s", "int8_tasks_per_s", "p95", "rss"]
    assert report["ceiling"]["fp32_share"] > 0
    assert report["same_tags"]["share"] == 1.0
    assert report["bulk"]["fp32"]["tasks"] == 30


def _measured(report: dict[str, Any]) -> Sequence[dict[str, Any]]:
    assert {"fp32", "int8", "baseline"} <= report.keys()
    return [report[side] for side in ("fp32", "int8", "baseline") if report[side] or side != "int8"]


def test_absent_corpus_is_named_in_one_sentence(tmp_path: Path) -> None:
    done = run("--data", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"There is no corpus at {tmp_path}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("percent", "expected"), [(50, 2), (75, 3), (95, 4), (0, 1)])
def test_percentile_is_one_of_the_values(percent: int, expected: int) -> None:
    assert percentile([4, 1, 3, 2], percent) == expected


def test_f1_counts_exact_regions() -> None:
    asked = [Document("1", "sushi in Boston", (Span(0, 5, "Dish"), Span(9, 15, "Location")))]
    found = [{"start": 0, "end": 5, "labels": ["Dish"]}, {"start": 6, "end": 15, "labels": ["Location"]}]
    assert f1(asked, [{"result": [{"value": value} for value in found]}]) == 0.5


def test_operations_of_a_text_are_those_of_its_matrix_products() -> None:
    config = {"dim": 2, "hidden_dim": 3, "n_layers": 1, "id2label": {"0": "O"}}
    weights, attention, head = 2 * 5 * (4 * 4 + 2 * 6), 2 * 2 * 5 * 5 * 2, 2 * 5 * 2
    assert flops(config, 5) == weights + attention + head


def test_ratios_are_ours_over_the_baseline() -> None:
    ours = {"tasks_per_s": 100.0, "p95_ms": 2.0, "rss_mb": 300.0}
    baseline = {"tasks_per_s": 10.0, "p95_ms": 20.0, "rss_mb": 600.0}
    report = {"fp32": ours, "int8": None, "baseline": baseline}
    assert ratios(report) == {"fp32_tasks_per_s": 10.0, "int8_tasks_per_s": None, "p95": 0.1, "rss": 0.5}
