"""Whether the served fp32 model and the trained torch model give every word the same tag.

    python -m bench.same_tags FOLDER FILE...

FOLDER is a version, each FILE a part of the corpus. Prints one JSON object. It is a program of its own because it loads
torch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, PreTrainedTokenizerFast

from backend.inference.decode import Viterbi, gather
from backend.inference.session import log_softmax
from backend.inference.tagger import Tagger
from backend.training.base_model.encoder import quiet
from backend.training.fine_tuning.examples import IGNORED, Collator, make_examples
from bench.corpus import sentences
from bench.corpus_model import labels_of
from converters import Document, TaggedDocument, tag_document
from converters.bio import spans_to_tags, starts, tag_set, transitions

_BATCH = 64


def main() -> None:
    folder, *files = map(Path, sys.argv[1:])
    texts = [" ".join(word for word, _ in sentence) for file in files for sentence in sentences(file)]
    print(json.dumps(compare(folder, texts)))


def compare(folder: Path, texts: Sequence[str]) -> dict[str, float]:
    """Share of words that get the same tag from the version's ONNX file and from its torch checkpoint.

    Both sides get the same words and decode with the same `Viterbi`.
    """
    documents = [tag_document(Document(str(number), text)) for number, text in enumerate(texts)]
    served = [
        spans_to_tags(text, tagging.spans).tags
        for text, tagging in zip(texts, Tagger.load(folder, precision="fp32").tag(texts), strict=True)
    ]
    trained = torch_tags(folder, documents)
    words = sum(map(len, served))
    same = sum(
        onnx_tag == torch_tag for ours, theirs in zip(served, trained, strict=True)
        for onnx_tag, torch_tag in zip(ours, theirs, strict=True)
    )  # fmt: skip
    return {"words": words, "different": words - same, "share": same / words}


def torch_tags(folder: Path, documents: Sequence[TaggedDocument]) -> list[list[str]]:
    """Tag documents with the torch checkpoint, in the same windows as in inference."""
    with quiet():
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForTokenClassification.from_pretrained(folder, local_files_only=True).eval()
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise TypeError(f"{folder} has no fast tokenizer")
    labels = labels_of(folder)
    tags = tag_set(labels)
    examples = make_examples(documents, labels=labels, tokenizer=tokenizer)
    collate = Collator(pad_id=tokenizer.pad_token_id or 0)
    scores = []
    with torch.inference_mode():
        for items in _batches(examples.items):
            batch = collate(items)
            logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.numpy()
            decided = batch["labels"].numpy() != IGNORED
            scores += [log_softmax(logits[row, mask]) for row, mask in enumerate(decided)]
    sizes = [len(gold) for gold in examples.gold]
    emissions = gather(examples.windows, scores, sizes=sizes, outside=tags.index("O"), tags=len(tags))
    decoded = Viterbi(transitions(tags), starts(tags)).decode(emissions)
    return [[tags[tag] for tag in ids] for ids in decoded]


def _batches(items: Sequence[dict[str, list[int]]]) -> Iterator[Sequence[dict[str, list[int]]]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


if __name__ == "__main__":
    main()
