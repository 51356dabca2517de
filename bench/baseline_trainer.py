"""The baseline: a notebook's recipe, Hugging Face's Trainer on all word pieces in random order."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import (
    DataCollatorForTokenClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    PrinterCallback,
    ProgressCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

from backend.training.base_model.encoder import load_classifier, quiet
from bench.corpus import Sentence
from converters.bio import tag_set

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Baseline:
    """A trained baseline, and the seconds of its training including the loading of the encoder."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    tags: tuple[str, ...]
    seconds: float

    def predict(self, sentences: Sequence[Sentence]) -> tuple[list[list[str]], list[list[str]]]:
        """Tags of every word (those of its first piece), and of every word piece."""
        by_word, by_piece = [], []
        for start in range(0, len(sentences), 64):
            encoded = _encode(self.tokenizer, sentences[start : start + 64], padding=True, return_tensors="pt")
            with torch.no_grad():
                ids = self.model(**encoded).logits.argmax(-1).numpy()
            for row in range(len(ids)):
                places = encoded.word_ids(row)
                tags = [self.tags[tag] for tag in ids[row]]
                by_piece.append([tag for tag, word in zip(tags, places, strict=True) if word is not None])
                by_word.append([tags[places.index(word)] for word in sorted(set(places) - {None})])
        return by_word, by_piece


def train_baseline(sentences: Sequence[Sentence], *, labels: Sequence[str], seed: int) -> Baseline:
    """Three epochs in batches of 16 at 3e-4 (2e-5, right for DistilBERT, is too low for the embedded encoder), weight
    decay 0.01, every word piece labelled with its word's tag, float32."""
    began = time.perf_counter()
    set_seed(seed)
    tags = tuple(tag_set(labels))
    model, tokenizer = load_classifier("embedded", labels)
    items = [_item(tokenizer, sentence, tags) for sentence in sentences]
    with tempfile.TemporaryDirectory() as folder, quiet():
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=3,
            learning_rate=3e-4,
            weight_decay=0.01,
            per_device_train_batch_size=16,
            seed=seed,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=torch.cuda.is_available(),
        )
        collator = DataCollatorForTokenClassification(tokenizer)
        trainer = Trainer(model=model, args=arguments, train_dataset=items, data_collator=collator)
        trainer.remove_callback(PrinterCallback)
        trainer.remove_callback(ProgressCallback)
        trainer.train()
        seconds = time.perf_counter() - began
    return Baseline(model.cpu().eval(), tokenizer, tags, seconds)


def pieces_of(tokenizer: PreTrainedTokenizerFast, sentence: Sentence, tags: Sequence[str]) -> list[str]:
    """The words' tags on every word piece."""
    places = tokenizer([word for word, _ in sentence], is_split_into_words=True, truncation=True).word_ids()
    return [tags[word] for word in places if word is not None]


def _item(tokenizer: PreTrainedTokenizerFast, sentence: Sentence, tags: Sequence[str]) -> dict[str, Any]:
    encoded = tokenizer([word for word, _ in sentence], is_split_into_words=True, truncation=True)
    numbers = np.array([tags.index(tag) for _, tag in sentence])
    labels = [IGNORED if word is None else int(numbers[word]) for word in encoded.word_ids()]
    return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"], "labels": labels}


def _encode(tokenizer: PreTrainedTokenizerFast, sentences: Sequence[Sentence], **options: Any) -> Any:
    words = [[word for word, _ in sentence] for sentence in sentences]
    return tokenizer(words, is_split_into_words=True, truncation=True, **options)
