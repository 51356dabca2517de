"""Fine-tuning: a base model learns the labelled documents, with Hugging Face's Trainer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    EvalPrediction,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from backend.inference.decode import Floats, Viterbi, gather
from backend.inference.session import log_softmax
from backend.settings import Settings
from backend.training.encoder import default_learning_rate, load_classifier, quiet
from backend.training.evaluate import score
from backend.training.examples import IGNORED, Collator, Examples, make_examples
from converters.bio import starts, tag_set, transitions
from converters.document import Document

MIN_EPOCHS = 3
MAX_EPOCHS = 30

USEFUL_STEPS = 240
"""Optimiser steps within which a new head settles; few documents are passed over more often to reach them."""

_WARMUP = 0.1
_TIE_BREAK = 1e-3


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a version is trained. ``None`` leaves a choice to the base model or to the number of documents."""

    base: str
    learning_rate: float | None = None
    epochs: float | None = None
    weight_decay: float = 0.01
    batch_size: int = 16
    seed: int = 42

    @classmethod
    def from_settings(cls, settings: Settings) -> Recipe:
        """The recipe that the deployment's environment variables ask for."""
        return cls(
            base=settings.baseline_model_name,
            learning_rate=settings.learning_rate,
            epochs=settings.num_train_epochs,
            weight_decay=settings.weight_decay,
            batch_size=settings.train_batch_size,
            seed=settings.train_seed,
        )


def fine_tune(
    train: Sequence[Document],
    validation: Sequence[Document],
    *,
    labels: Sequence[str],
    recipe: Recipe,
    work_dir: Path,
    progress: Callable[[float], None],
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast, dict[str, Any]]:
    """Train a token classifier; return it in evaluation mode, its tokenizer and what was actually done.

    With validation documents, the epoch with the best entity F1 on them is kept, ties going to the lower loss;
    without, the last. ``progress`` is called with the fraction of steps done; whatever it raises stops training and
    is passed on. On the CPU the same seed gives the same model. Checkpoints stay inside ``work_dir``.
    """
    set_seed(recipe.seed)
    model, tokenizer = load_classifier(recipe.base, labels)
    examples = make_examples(train, labels=labels, tokenizer=tokenizer)
    held_out = make_examples(validation, labels=labels, tokenizer=tokenizer) if validation else None
    epochs = recipe.epochs or default_epochs(len(examples.items), recipe.batch_size)
    rate = recipe.learning_rate or default_learning_rate(recipe.base)
    with quiet():
        trainer = Trainer(
            model=model,
            args=_arguments(recipe, work_dir, epochs=epochs, rate=rate, choose=bool(held_out and held_out.items)),
            train_dataset=examples.items,
            eval_dataset=held_out.items if held_out and held_out.items else None,
            data_collator=Collator(pad_id=tokenizer.pad_token_id or 0),
            compute_metrics=_Choice(held_out, labels) if held_out else None,
            callbacks=[_Report(progress)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        trainer.train()
    info = {
        "examples": len(examples.items),
        "epochs": epochs,
        "steps": trainer.state.global_step,
        "learning_rate": rate,
        "device": _device(trainer.args.device),
    }
    return model.eval(), tokenizer, info


def default_epochs(examples: int, batch_size: int) -> float:
    """Passes over the training examples: three, or as many as make `USEFUL_STEPS`, but never over `MAX_EPOCHS`."""
    steps = math.ceil(examples / batch_size)
    return float(min(MAX_EPOCHS, max(MIN_EPOCHS, math.ceil(USEFUL_STEPS / steps))))


def _arguments(recipe: Recipe, work_dir: Path, *, epochs: float, rate: float, choose: bool) -> TrainingArguments:
    cuda = torch.cuda.is_available()
    choice: dict[str, Any] = {"eval_strategy": "no", "save_strategy": "no"}
    if choose:
        choice = {
            "eval_strategy": "epoch",
            "save_strategy": "best",
            "save_total_limit": 1,
            "save_only_model": True,
            "load_best_model_at_end": True,
            "metric_for_best_model": "choice",
            "greater_is_better": True,
        }
    return TrainingArguments(
        output_dir=str(work_dir),
        num_train_epochs=epochs,
        learning_rate=rate,
        weight_decay=recipe.weight_decay,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=4 * recipe.batch_size,
        lr_scheduler_type="linear",
        warmup_steps=_WARMUP,
        seed=recipe.seed,
        bf16=cuda and torch.cuda.is_bf16_supported(),
        dataloader_pin_memory=cuda,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        **choice,
    )


class _Report(TrainerCallback):
    """Tells how far training is, after every optimiser step."""

    def __init__(self, progress: Callable[[float], None]) -> None:
        self._progress = progress

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        if state.is_world_process_zero and state.max_steps:
            self._progress(min(1.0, state.global_step / state.max_steps))


class _Choice:
    """Scores the validation documents as serving would: whole words, Viterbi, strict entities."""

    def __init__(self, held_out: Examples, labels: Sequence[str]) -> None:
        self._held_out = held_out
        self._tags = tag_set(labels)
        self._viterbi = Viterbi(transitions(self._tags), starts(self._tags))
        self._gold = [[self._tags[tag] for tag in tags] for tags in held_out.gold]

    def __call__(self, outcome: EvalPrediction) -> dict[str, float]:
        """Return ``f1``, and ``choice``: F1 less a thousandth of the loss, which decides between equal epochs."""
        labels = np.asarray(outcome.label_ids)
        decided = labels != IGNORED
        logits = np.asarray(outcome.predictions, dtype=np.float32)
        scores = [log_softmax(logits[row, mask]) for row, mask in enumerate(decided)]
        f1 = score(self._gold, self._decoded(scores)).f1
        loss = -np.concatenate(
            [rows[np.arange(len(rows)), labels[row, decided[row]]] for row, rows in enumerate(scores)]
        ).mean()
        return {"f1": f1, "choice": f1 - _TIE_BREAK * min(float(loss), 1.0)}

    def _decoded(self, scores: Sequence[Floats]) -> list[list[str]]:
        emissions = gather(
            self._held_out.windows,
            scores,
            sizes=[len(tags) for tags in self._gold],
            outside=self._tags.index("O"),
            tags=len(self._tags),
        )
        return [[self._tags[tag] for tag in ids] for ids in self._viterbi.decode(emissions)]


def _device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
