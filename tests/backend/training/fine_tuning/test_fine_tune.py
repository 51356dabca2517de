from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import DistilBertForTokenClassification

from backend.errors import RunCancelled
from backend.recipe import Recipe
from backend.training.acceleration.dropout import QuickDropout
from backend.training.fine_tuning import schedule
from backend.training.fine_tuning.examples import IGNORED
from backend.training.fine_tuning.fine_tune import LABEL_SMOOTHING, fine_tune, summed_loss
from converters.document import Document
from converters.tagged import TaggedDocument, tag_document
from tests.samples import LABELS

ROOT = Path(__file__).parents[4]
RECIPE = Recipe(base="embedded", epochs=2, batch_size=8)


def tuned(
    documents: Sequence[TaggedDocument], *, validation: int = 0, start: Path | None = None, **changes: Any
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    recipe = replace(RECIPE, **changes)
    model, _, info = fine_tune(
        documents[validation:16],
        documents[:validation],
        labels=LABELS,
        recipe=recipe,
        progress=lambda fraction: None,
        start=start,
    )
    return model.state_dict(), info


def test_same_seed_gives_the_same_model(tagged_documents: list[TaggedDocument]) -> None:
    first, info = tuned(tagged_documents, validation=4, seed=1)
    again, info_again = tuned(tagged_documents, validation=4, seed=1)
    other, _ = tuned(tagged_documents, validation=4, seed=2)
    assert info == info_again
    assert all(torch.equal(values, again[name]) for name, values in first.items())
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])


def test_progress_rises_to_one_and_training_prints_nothing(
    tagged_documents: list[TaggedDocument], capfd: pytest.CaptureFixture[str]
) -> None:
    fractions: list[float] = []
    model, tokenizer, info = fine_tune(
        tagged_documents[:16], (), labels=LABELS, recipe=RECIPE, progress=fractions.append
    )
    assert fractions == [0.25, 0.5, 0.75, 1.0]
    assert capfd.readouterr() == ("", "")
    assert not model.training
    assert tokenizer.model_max_length == 512
    assert model.get_input_embeddings().weight.shape == (30522, 384)
    assert (info["steps"], info["epochs"], info["learning_rate"], info["start"]) == (4, 2, 5e-4, None)


def test_exception_in_the_progress_callback_stops_training(tagged_documents: list[TaggedDocument]) -> None:
    fractions: list[float] = []

    def cancel(fraction: float) -> None:
        fractions.append(fraction)
        raise RunCancelled("cancelled")

    with pytest.raises(RunCancelled):
        fine_tune(tagged_documents[:16], (), labels=LABELS, recipe=RECIPE, progress=cancel)
    assert fractions == [0.25]


def test_part_of_an_epoch_has_that_part_of_its_steps(tagged_documents: list[TaggedDocument]) -> None:
    _, info = tuned(tagged_documents, epochs=1.5)
    assert info["steps"] == 3


def test_loss_falls_and_the_best_evaluation_step_is_kept(tagged_documents: list[TaggedDocument]) -> None:
    _, info = tuned(tagged_documents, validation=4, epochs=12)
    evaluation_steps = info["evaluation_steps"]
    assert 6 <= len(evaluation_steps) <= 10
    assert evaluation_steps[-1]["epoch"] == 12
    assert evaluation_steps[-1]["loss"] < evaluation_steps[0]["loss"]
    scored = [step for step in evaluation_steps if step["validation"]]
    assert [step["epoch"] for step in scored] == [step["epoch"] for step in evaluation_steps if step["epoch"] >= 8]
    best = max(scored, key=lambda step: (step["validation"]["f1"], -step["validation"]["loss"]))
    assert info["chosen"] == best["epoch"]


def test_short_training_is_not_validated(tagged_documents: list[TaggedDocument]) -> None:
    _, info = tuned(tagged_documents, validation=4, epochs=3)
    assert [step["validation"] for step in info["evaluation_steps"]] == [None, None, None]
    assert info["chosen"] == 3


def test_without_validation_nothing_is_chosen(tagged_documents: list[TaggedDocument]) -> None:
    _, info = tuned(tagged_documents)
    assert [step["validation"] for step in info["evaluation_steps"]] == [None, None]
    assert info["chosen"] == 2


@pytest.mark.slow
def test_batch_that_exceeds_the_memory_is_computed_in_smaller_parts(
    tagged_documents: list[TaggedDocument], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QuickDropout, "forward", lambda self, values: values)
    monkeypatch.setattr(torch.nn.functional, "dropout", lambda values, *args, **kwargs: values)
    expected, _ = tuned(tagged_documents)
    sizes: list[int] = []
    whole = DistilBertForTokenClassification.forward

    def forward(self: Any, *, input_ids: torch.Tensor, **inputs: Any) -> Any:
        sizes.append(len(input_ids))
        if len(input_ids) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return whole(self, input_ids=input_ids, **inputs)

    monkeypatch.setattr(DistilBertForTokenClassification, "forward", forward)
    weights, info = tuned(tagged_documents)
    assert sizes[:4] == [8, 4, 2, 2]
    assert max(sizes[2:]) == 2  # a size that did not fit once is not tried again
    assert info["steps"] == 4
    close = [torch.allclose(weights[name], values, atol=2e-3) for name, values in expected.items()]
    assert all(close)


@pytest.mark.slow
def test_memory_too_small_for_one_example_ends_training(
    tagged_documents: list[TaggedDocument], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: Any, **inputs: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(DistilBertForTokenClassification, "forward", forward)
    with pytest.raises(torch.OutOfMemoryError):
        tuned(tagged_documents)


def test_training_continues_from_a_version(tagged_documents: list[TaggedDocument], version_folder: Path) -> None:
    _, cold = tuned(tagged_documents, epochs=1)
    _, warm = tuned(tagged_documents, epochs=1, start=version_folder)
    assert warm["start"] == version_folder.name
    assert warm["evaluation_steps"][0]["loss"] < 0.7 * cold["evaluation_steps"][0]["loss"]


@pytest.mark.parametrize(("labels", "epochs"), [(LABELS, 3), ((*LABELS, "Chef"), 6), (LABELS[1:], 6)])
def test_training_from_a_version_with_the_same_labels_takes_half_as_long(
    labels: Sequence[str],
    epochs: float,
    sample_documents: list[Document],
    version_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedule, "USEFUL_STEPS", 6)
    documents = [tag_document(document, labels=labels) for document in sample_documents[:8]]
    recipe = replace(RECIPE, epochs=None)
    _, _, info = fine_tune(documents, (), labels=labels, recipe=recipe, progress=lambda _: None, start=version_folder)
    assert (info["epochs"], info["steps"]) == (epochs, epochs)


SHARED = """
import json, sys
from pathlib import Path
from accelerate import PartialState
from backend.recipe import Recipe
from backend.training.fine_tuning.distributed import Job, OtherRanks, is_rank_0, receive_job
from backend.training.acceleration.dropout import QuickDropout
from backend.training.run import join_fine_tuning
from backend.training.fine_tuning.examples import IGNORED
from backend.training.fine_tuning.fine_tune import fine_tune
from tests.samples import LABELS, tagged_documents

QuickDropout.forward = lambda self, values: values  # processes draw different random numbers
if not is_rank_0():
    join_fine_tuning()
else:
    recipe = Recipe(base="embedded", epochs=4, batch_size=8)
    job = Job(tagged_documents(19), tagged_documents(4), LABELS, recipe, None)
    OtherRanks().broadcast_job(job)
    model, _, info = fine_tune(**job._asdict(), progress=lambda _: None)
    weights = model.classifier.weight.flatten().tolist()
    Path(sys.argv[1]).write_text(json.dumps({"info": info, "weights": weights}))
"""


# accelerate starts several processes of one machine under this type; without a GPU they use the CPU and gloo.
LAUNCH = """
compute_environment: LOCAL_MACHINE
distributed_type: MULTI_GPU
num_machines: 1
num_processes: 2
main_process_port: 0
mixed_precision: 'no'
use_cpu: false
"""


@pytest.mark.slow
def test_two_processes_learn_the_same_as_one(tmp_path: Path) -> None:
    """Under `accelerate launch` on the CPU (gloo): the same curve of the loss, and the same weights at the end."""
    script = tmp_path / "shared.py"
    script.write_text(SHARED)
    results = []
    config = tmp_path / "accelerate.yaml"
    config.write_text(LAUNCH)
    launch = ["-m", "accelerate.commands.launch", "--config_file", str(config)]
    for name, launched in (("one", []), ("two", launch)):
        target = tmp_path / f"{name}.json"
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(
            [sys.executable, *launched, str(script), str(target)],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        results.append(json.loads(target.read_text()))
    one, two = results
    assert (one["info"]["processes"], two["info"]["processes"]) == (1, 2)
    losses = [[step["loss"] for step in result["info"]["evaluation_steps"]] for result in results]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0][-1] < 0.8 * losses[0][0]
    assert one["weights"] == pytest.approx(two["weights"], abs=3e-3)


@pytest.mark.parametrize("restricted", [False, True])
def test_loss_with_all_tags_allowed_is_the_cross_entropy(restricted: bool) -> None:
    logits = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[0, 1, IGNORED, 6, 2], [IGNORED] * 5, [3, 3, 3, IGNORED, 0]])
    allowed = torch.ones(3, 1, 7, dtype=torch.bool) if restricted else None
    expected = cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum", label_smoothing=LABEL_SMOOTHING
    )
    assert summed_loss(logits, targets, allowed).item() == pytest.approx(expected.item(), rel=1e-5)


def test_loss_says_nothing_about_tags_that_are_not_allowed() -> None:
    logits = torch.randn(2, 4, 7, generator=torch.Generator().manual_seed(0)).requires_grad_()
    allowed = torch.tensor([[True, True, True, False, False, False, False], [True] * 7]).unsqueeze(1)
    targets = torch.tensor([[0, 1, 2, IGNORED], [0, 5, 6, 0]])
    loss = summed_loss(logits, targets, allowed)
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert (logits.grad[0, :, 3:] == 0).all()
    assert (logits.grad[0, 3] == 0).all()
    assert (logits.grad[0, :3, :3] != 0).all()
    assert (logits.grad[1] != 0).all()
