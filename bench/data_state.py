"""What it costs a run to compute the state of its data, beside reading and tagging the same tasks.

    python -m bench.data_state [--tasks 100000] [--data FOLDER] [--json]

The export is made from the corpus. Marked words get the number of the repetition, so that no text occurs in two tasks
and the number of different words grows with that of the tasks: then the state takes most memory. Reading is parsing the
export and converting it to documents; tagging is what a run does with them in any case. Prints the fastest of three
rounds, and the memory by tracemalloc: of the documents, and the peak of the computation above that.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from backend.training.data_state import data_state
from backend.training.snapshot import Snapshot, read_snapshot
from bench.corpus import DEFAULT, Sentence, sentences, write_export
from converters.tagged import TaggedDocument, tag_document
from label_config import LabelConfig, template

ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100_000, help="labelled tasks of the run")
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        export = Path(folder) / "export.json"
        write_export(list(_distinct(sentences(options.data / "train.bio"), options.tasks)), options.tasks, export)
        figures = _seconds(export) | _memory(export)
    print(
        f"{options.tasks:,} tasks: reading takes {figures['read_seconds']:.2f} s, tagging "
        f"{figures['tag_seconds']:.2f} s, the state of the data {figures['state_seconds']:.2f} s more; "
        f"state ÷ reading and tagging: {figures['ratio']:.2f}.\n"
        f"The documents take {figures['documents_mb']:.0f} MB, the computation {figures['state_mb']:.0f} MB more at "
        f"its peak; the database keeps {figures['stored_kb']:.0f} kB."
    )
    if options.json:
        print(json.dumps({"bench": "data_state", "tasks": options.tasks, **figures}))


def _distinct(corpus: list[Sentence], tasks: int) -> Iterator[Sentence]:
    for number in range(tasks):
        turn, row = divmod(number, len(corpus))
        yield [(word if tag == "O" else f"{word}{turn}", tag) for word, tag in corpus[row]]


def _read(export: Path) -> Snapshot:
    config = LabelConfig.from_xml(template("restaurant"))
    return read_snapshot(json.loads(export.read_bytes()), config, revision=0)


def _tag(snapshot: Snapshot) -> Iterator[TaggedDocument]:
    return (tag_document(document, labels=snapshot.config.labels) for document in snapshot.documents)


def _exhaust(documents: Iterable[TaggedDocument]) -> None:
    deque(documents, maxlen=0)


def _seconds(export: Path) -> dict[str, float]:
    read = _fastest(lambda: _read(export))
    snapshot = _read(export)
    tag = _fastest(lambda: _exhaust(_tag(snapshot)))
    state = _fastest(lambda: data_state(_tag(snapshot), snapshot.annotators)) - tag
    return {"read_seconds": read, "tag_seconds": tag, "state_seconds": state, "ratio": state / (read + tag)}


def _fastest(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _memory(export: Path) -> dict[str, float]:
    tracemalloc.start()
    snapshot = _read(export)
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    state = data_state(_tag(snapshot), snapshot.annotators)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    stored = len(json.dumps(state.to_dict()))
    return {"documents_mb": before / 2**20, "state_mb": (peak - before) / 2**20, "stored_kb": stored / 2**10}


if __name__ == "__main__":
    main()
