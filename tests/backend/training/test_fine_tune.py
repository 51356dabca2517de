from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backend.errors import RunCancelled
from backend.settings import Settings
from backend.training.fine_tune import Recipe, default_epochs, fine_tune
from converters.document import Document
from tests.samples import LABELS

RECIPE = Recipe(base="embedded", epochs=2, batch_size=8)


def weights_of(documents: list[Document], work_dir: Path, *, seed: int, validation: int = 0) -> dict[str, torch.Tensor]:
    recipe = Recipe(base="embedded", epochs=2, batch_size=8, seed=seed)
    model, _, _ = fine_tune(
        documents[validation:16],
        documents[:validation],
        labels=LABELS,
        recipe=recipe,
        work_dir=work_dir,
        progress=lambda fraction: None,
    )
    return model.state_dict()


def test_same_seed_gives_the_same_model(sample_documents: list[Document], tmp_path: Path) -> None:
    first = weights_of(sample_documents, tmp_path / "1", seed=1, validation=4)
    again = weights_of(sample_documents, tmp_path / "2", seed=1, validation=4)
    other = weights_of(sample_documents, tmp_path / "3", seed=2, validation=4)
    assert all(torch.equal(values, again[name]) for name, values in first.items())
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])


def test_progress_rises_to_one_and_training_says_nothing(
    sample_documents: list[Document], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[float] = []
    model, tokenizer, info = fine_tune(
        sample_documents[:16], (), labels=LABELS, recipe=RECIPE, work_dir=tmp_path, progress=seen.append
    )
    assert seen == [0.25, 0.5, 0.75, 1.0]
    assert capfd.readouterr() == ("", "")
    assert not model.training
    assert tokenizer.model_max_length == 512
    assert info["steps"] == 4
    assert info["learning_rate"] == 3e-4


def test_what_progress_raises_stops_training(sample_documents: list[Document], tmp_path: Path) -> None:
    seen: list[float] = []

    def cancel(fraction: float) -> None:
        seen.append(fraction)
        raise RunCancelled("cancelled")

    with pytest.raises(RunCancelled):
        fine_tune(sample_documents[:16], (), labels=LABELS, recipe=RECIPE, work_dir=tmp_path, progress=cancel)
    assert seen == [0.25]


def test_at_most_one_checkpoint_is_kept_inside_the_work_folder(
    sample_documents: list[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    weights_of(sample_documents, tmp_path / "work", seed=1, validation=6)
    assert len(list((tmp_path / "work").glob("checkpoint-*"))) <= 1
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("examples", "expected"),
    [(1, 30), (48, 30), (160, 24), (500, 8), (1280, 3), (10_000, 3)],
)
def test_few_documents_are_passed_over_more_often(examples: int, expected: float) -> None:
    assert default_epochs(examples, 16) == expected


def test_recipe_is_what_the_settings_say() -> None:
    settings = Settings(
        _env_file=None, baseline_model_name="embedded", learning_rate=1e-4, num_train_epochs=2, train_seed=5
    )
    assert Recipe.from_settings(settings) == Recipe(
        base="embedded", learning_rate=1e-4, epochs=2, weight_decay=0.01, batch_size=16, seed=5
    )
