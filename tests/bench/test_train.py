"""The training benchmark works on any corpus in its layout. No figure is judged here."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from backend.recipe import Recipe
from backend.training.fine_tuning.fine_tune import fine_tune
from bench import train, warm_start
from bench.corpus import Sentence
from bench.train import Corpus

LINES = (
    ("any", "cheap/Price", "sushi/Dish", "bars", "near/Location", "me/Location"),
    ("find", "thai/Cuisine", "noodles/Dish"),
    ("a", "quiet/Amenity", "place", "open", "late/Hours"),
    ("the", "best/Rating", "mexican/Cuisine", "tacos/Dish"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sixteen sentences to learn, four to validate and four to test."""
    for name, times in (("train", 4), ("valid", 1), ("test", 1)):
        blocks = ["\n".join(map(_row, line)) for line in LINES * times]
        (tmp_path / f"{name}.bio").write_text("\n\n".join(blocks) + "\n")
    return tmp_path


def _row(entry: str) -> str:
    word, _, label = entry.partition("/")
    return f"{'I' if word == 'me' else 'B'}-{label}\t{word}" if label else f"O\t{word}"


@pytest.mark.slow
def test_both_sides_are_trained_and_scored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train.main(["--sentences", "16", "--data", str(folder), "--json"])
    printed = capsys.readouterr().out
    report = json.loads(printed.splitlines()[-1])
    assert (report["sentences"], report["seeds"]) == (16, [1])
    for side in (report, report["baseline"]):
        assert 0.0 <= side["test_f1_mean"] <= 1.0
        assert side["seconds"] > 0.0
    assert report["valid_f1_mean"] > 0.5  # the sentences it has learnt
    assert report["ratio_seconds"] == pytest.approx(report["seconds"] / report["baseline"]["seconds"])
    assert "ours ÷ baseline" in printed


def test_curve_is_printed_and_drawn(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured is `test_both_sides_are_trained_and_scored`'s; here it is on which sentences."""
    measured: list[tuple[str, list[Sentence], dict[str, Any]]] = []

    def measure(of: Any, sentences: list[Sentence], corpus: Corpus, **options: Any) -> dict[str, float]:
        measured.append((of.__name__, sentences, options))
        scores = dict.fromkeys(("test_f1", "valid_f1", "valid_wordpiece_f1"), len(sentences) / 100)
        return scores | {"seconds": float(options["seed"])}

    monkeypatch.setattr(train, "alone", measure)
    monkeypatch.setattr(train, "alone_as_a_run", measure)
    picture = tmp_path / "curve.svg"
    options = ["--curve", str(picture), "--sizes", "5", "99", "--seeds", "2", "--data", str(folder), "--json"]
    train.main(options)
    *lines, last = capsys.readouterr().out.splitlines()
    points = json.loads(last)["curve"]
    assert [(point["sentences"], point["test_f1_mean"], point["seconds"]) for point in points] == [
        (5, 0.05, 1.5),
        (16, 0.16, 1.5),
    ]
    assert [line.split(":")[0].strip() for line in lines] == ["5 sentences", "16 sentences"]
    ours = [(sentences, options) for name, sentences, options in measured if name == "measure_ours"]
    baseline = [sentences for name, sentences, _ in measured if name == "measure_baseline"]
    assert [sentences for sentences, _ in ours] == baseline
    assert [(len(sentences), options) for sentences, options in ours] == [
        (size, {"seed": seed, "choose": False}) for size in (5, 16) for seed in (1, 2)
    ]
    assert "<svg" in picture.read_text()


def test_samples_of_a_seed_grow() -> None:
    corpus = Corpus([[(str(number), "O")] for number in range(9)], [], [])
    small, large = corpus.sample(3, seed=1), corpus.sample(6, seed=1)
    assert large[:3] == small
    assert corpus.sample(6, seed=2) != large


@pytest.mark.slow
def test_warm_start_plays_rounds(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[str | None] = []

    def recorded(*documents: Any, **options: Any) -> Any:
        starts.append(options["start"] and options["start"].name)
        return fine_tune(*documents, **options)

    monkeypatch.setattr(warm_start, "Recipe", partial(Recipe, epochs=2.0))
    monkeypatch.setattr(warm_start, "fine_tune", recorded)
    warm_start.main(["--sentences", "12", "--more", "4", "--rounds", "1", "--data", str(folder), "--json"])
    first, second = json.loads(capsys.readouterr().out.splitlines()[-1])["rounds"]
    assert (first["sentences"], second["sentences"]) == (12, 16)
    assert first["base_f1"] == first["warm_f1"]
    assert starts == [None, None, "base-0"]
