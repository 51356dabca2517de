"""Ways to make a model int8, side by side: this project's ``quantize.py`` and ONNX Runtime's own functions.

    python -m bench.quantization [--rounds 11] [--data FOLDER] [--model FOLDER] [--json]

All start from one fp32 file, the embedded encoder fine-tuned on the corpus (minutes, the first time; then kept), and
all static ones measure activations on the same training texts. The product's tagger serves every file on one thread
and is scored on ``test.bio``. The sides take turns in every round, and ratios to fp32 are medians over the rounds.
Times are processor time, so that other programs on the machine count less.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from backend.evaluation.evaluate import evaluate
from backend.inference.decoders import BioDecoder
from backend.inference.session import OnnxSession, int8_is_exact
from backend.inference.tagger import ONNX_FILE, Tagger, read_encoder
from backend.training.onnx.quantize import QUANTIZATION_CONFIGS, Inputs, calibrate, products, quantize
from backend.training.split import split
from bench.corpus import DEFAULT, sentences
from bench.corpus_model import corpus_version, documents, labels_of, tagged_documents
from converters import Document, TaggedDocument, tag_document
from converters.bio import spans_to_tags, tag_set

Documents = Sequence[TaggedDocument]
Figures = dict[str, Any]

TOGETHER = 32
"""Texts of one request; the same texts are also sent one by one."""

_SAMPLES, _LATENCY_TEXTS = 128, 200
_OPERATORS = ["MatMul", "Gather"]


@dataclass(frozen=True, slots=True)
class Source:
    """An fp32 file, what `quant_pre_process` makes of it, and inputs to measure its activations with."""

    fp32: Path
    prepared: Path
    samples: Sequence[Inputs]


def _ours(source: Source, target: Path) -> None:
    quantize(source.fp32, target, QUANTIZATION_CONFIGS[0], calibrate(source.fp32, source.samples))


def _static(source: Source, target: Path, **options: Any) -> None:
    reader = SimpleNamespace(get_next=partial(next, iter(source.samples), None))
    quantize_static(source.prepared, target, reader, per_channel=True, activation_type=QuantType.QUInt8, **options)


def _static_results_in_fp32(source: Source, target: Path) -> None:
    """Only products with constants, and their results stay in fp32: what ``quantize.py`` does, by options alone."""
    graph = onnx.load(source.prepared).graph
    constant = {product.node.name for product in products(graph)}
    others = [node.name for node in graph.node if node.op_type == "MatMul" and node.name not in constant]
    extra = {"OpTypesToExcludeOutputQuantization": ["MatMul"]}
    _static(source, target, op_types_to_quantize=_OPERATORS, nodes_to_exclude=others, extra_options=extra)


def _dynamic(source: Source, target: Path) -> None:
    quantize_dynamic(source.prepared, target, op_types_to_quantize=_OPERATORS, per_channel=True)


VARIANTS: Mapping[str, Callable[[Source, Path], None]] = {
    "quantize.py": _ours,
    "static, all operators": _static,
    "static, QDQ": partial(_static, op_types_to_quantize=_OPERATORS),
    "static, QOperator": partial(_static, op_types_to_quantize=_OPERATORS, quant_format=QuantFormat.QOperator),
    "static, QDQ, results in fp32": _static_results_in_fp32,
    "dynamic": _dynamic,
}
"""The function that writes each int8 file. By default matrix products and embeddings become int8, and weights get one
scale per output channel; static scales of activations cover the range from the least to the greatest value (MinMax)."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11, help="how often each side is timed")
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--model", type=Path, help="folder of a version to quantise instead of training one")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args(arguments)
    train, test = (sentences(options.data / f"{part}.bio") for part in ("train", "test"))
    version = options.model or corpus_version(documents(train))
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(version, split(tagged_documents(train)).train, Path(folder))
        variants = compare(version, files, tagged_documents(test), rounds=options.rounds)
    print_table(variants)
    if options.json:
        print(json.dumps({"bench": "quantization", "texts": len(test), "rounds": options.rounds, "variants": variants}))


def write_files(version: Path, train: Documents, folder: Path) -> dict[str, Path]:
    """Write every variant's file into ``folder``; the fp32 file is the version's own."""
    source = Source(version / ONNX_FILE, folder / "prepared.onnx", samples(version, train))
    files = {"fp32": source.fp32}
    logging.disable(logging.WARNING)  # ONNX Runtime names every tensor that it leaves as it is, on the root logger
    quant_pre_process(source.fp32, source.prepared, auto_merge=True)  # without, it cannot infer the mask's shape
    for name, write in VARIANTS.items():
        files[name] = folder / f"{len(files)}.onnx"
        write(source, files[name])
    logging.disable(logging.NOTSET)
    return files


def samples(version: Path, train: Documents) -> list[Inputs]:
    """Inputs of the graph, one text each, spread over the training documents as `decide_precision` spreads them."""
    chosen = train[:: max(1, len(train) // _SAMPLES)]
    windows = read_encoder(version).encode([[word.text for word in document.words] for document in chosen])
    inputs = [window.input_ids[None] for window in windows]
    return [{"input_ids": ids, "attention_mask": np.ones_like(ids)} for ids in inputs]


def compare(version: Path, files: Mapping[str, Path], test: Documents, *, rounds: int) -> dict[str, Figures]:
    """Figures of each file, ``fp32`` among them; agreement is F1 with the regions of fp32 as gold."""
    encoder, texts = read_encoder(version), [document.text for document in test]
    decoder = BioDecoder(tag_set(labels_of(version)))
    session = partial(OnnxSession, threads=1, device="cpu")
    taggers = {name: Tagger(encoder, session(path), decoder) for name, path in files.items()}
    answers = zip(test, taggers["fp32"].tag(texts), strict=True)
    of_fp32 = [tag_document(Document(document.id, document.text, tagging.spans)) for document, tagging in answers]
    report: dict[str, Figures] = timed(taggers, texts, rounds)
    for name, tagger in taggers.items():
        scored, same = (evaluate(tagger, gold) for gold in (test, of_fp32))
        report[name] |= {"f1": scored and scored.f1, "agreement": same and same.f1}
        report[name] |= {"mb": files[name].stat().st_size / 1e6, "changed_words": changed_words(tagger, texts)}
    return report


def timed(taggers: Mapping[str, Tagger], texts: Sequence[str], rounds: int) -> dict[str, Figures]:
    """Texts a second in requests of `TOGETHER`, median latency of a text alone, and both as ratios to fp32."""
    rates: dict[str, list[float]] = {name: [] for name in taggers}
    waits: dict[str, list[float]] = {name: [] for name in taggers}
    for _ in range(rounds):
        for name, tagger in taggers.items():
            rates[name].append(len(texts) / sum(_seconds(tagger, request) for request in _requests(texts)))
            waits[name].append(median(_seconds(tagger, [text]) for text in texts[:_LATENCY_TEXTS]))
    return {
        name: {
            "texts_per_s": median(rates[name]),
            "rate_ratio": median(map(float.__truediv__, rates[name], rates["fp32"])),
            "p50_ms": 1000 * median(waits[name]),
            "p50_ratio": median(map(float.__truediv__, waits[name], waits["fp32"])),
        }
        for name in taggers
    }


def _seconds(tagger: Tagger, texts: Sequence[str]) -> float:
    began = time.process_time()
    tagger.tag(texts)
    return time.process_time() - began


def _requests(texts: Sequence[str]) -> list[Sequence[str]]:
    return [texts[start : start + TOGETHER] for start in range(0, len(texts), TOGETHER)]


def changed_words(tagger: Tagger, texts: Sequence[str]) -> float:
    """Share of words that get another tag when their text is sent alone than when it is sent with others."""
    alone = [tagger.tag([text])[0] for text in texts]
    together = [tagging for request in _requests(texts) for tagging in tagger.tag(request)]
    changed: list[bool] = []
    for text, *taggings in zip(texts, alone, together, strict=True):
        first, second = (spans_to_tags(text, tagging.spans).tags for tagging in taggings)
        changed += [tag != other for tag, other in zip(first, second, strict=True)]
    return sum(changed) / len(changed)


def print_table(variants: Mapping[str, Figures]) -> None:
    print(f"{'':30}{'F1':>7}{'agreement':>11}{'texts/s':>9}{'p50':>7}{'MB':>7}{'words that change':>19}")
    for name, row in variants.items():
        scores, ratios = f"{row['f1']:7.4f}{row['agreement']:11.4f}", f"{row['rate_ratio']:9.2f}{row['p50_ratio']:7.2f}"
        print(f"{name:30}{scores}{ratios}{row['mb']:7.1f}{row['changed_words']:19.2%}")
    fp32 = variants["fp32"]
    print(f"Texts/s and p50 are ratios to fp32: {fp32['texts_per_s']:.0f} texts/s, {fp32['p50_ms']:.2f} ms.")
    if not int8_is_exact():
        print("This processor has no VNNI: int8 products may overflow, and the product would serve fp32.")


if __name__ == "__main__":
    main()
