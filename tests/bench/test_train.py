"""The training benchmark works on any corpus in its layout. No figure is judged here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import train, warm_start
from bench.train import Corpus

LINES = (
    ("any", "cheap/Price", "sushi/Dish", "bars", "near/Location", "me/Location"),
    ("find", "thai/Cuisine", "noodles/Dish"),
    ("a", "quiet/Amenity", "place", "open", "late/Hours"),
    ("the", "best/Rating", "mexican/Cuisine", "tacos/Dish"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sixteen sentences to learn, four to choose by and four to score on."""
    for name, times in (("train", 4), ("valid", 1), ("test", 1)):
        blocks = ["\n".join(map(_row, line)) for line in LINES * times]
        (tmp_path / f"{name}.bio").write_text("\n\n".join(blocks) + "\n")
    return tmp_path


def _row(entry: str) -> str:
    word, _, label = entry.partition("/")
    return f"{'I' if word == 'me' else 'B'}-{label}\t{word}" if label else f"O\t{word}"


def test_both_sides_are_trained_and_scored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train.main(["--sentences", "16", "--data", str(folder), "--json"])
    printed = capsys.readouterr().out
    report = json.loads(printed.splitlines()[-1])
    assert (report["sentences"], report["seeds"]) == (16, [1])
    for side in (report, report["baseline"]):
        assert 0.0 <= side["test_f1_mean"] <= 1.0
        assert side["seconds"] > 0.0
    assert report["valid_f1_mean"] > 0.5  # these are the sentences it has learnt
    assert report["ratio_seconds"] == pytest.approx(report["seconds"] / report["baseline"]["seconds"])
    assert "ours ÷ baseline" in printed


def test_curve_is_printed_and_drawn(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "curve.svg"
    train.main(["--curve", str(picture), "--sizes", "99", "--data", str(folder), "--json"])
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [point["sentences"] for point in report["curve"]] == [16]
    assert "<svg" in picture.read_text()


def test_samples_of_a_seed_grow() -> None:
    corpus = Corpus([[(str(number), "O")] for number in range(9)], [], [])
    small, large = corpus.sample(3, seed=1), corpus.sample(6, seed=1)
    assert large[:3] == small
    assert corpus.sample(6, seed=2) != large


def test_warm_start_plays_rounds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    warm_start.main(["--sentences", "12", "--more", "4", "--rounds", "1", "--data", str(folder), "--json"])
    first, second = json.loads(capsys.readouterr().out.splitlines()[-1])["rounds"]
    assert (first["sentences"], second["sentences"]) == (12, 16)
    assert first["base_f1"] == first["warm_f1"]
