"""Writes labelled rows as a data set of the ``datasets`` library, divided into sets as training divides them."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import datasets
import pyarrow as pa
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value
from huggingface_hub import DatasetCardData

from backend.conversion import count
from backend.errors import Conflict
from backend.training.split import Subset, subset_of
from converters.bio import split_tag, tag_set
from converters.rows import Row

SUBSETS: tuple[Subset, ...] = ("train", "validation", "test")

_BATCH = 10_000
"""Rows that are Python objects at a time; all others are in Arrow's columns, a tenth of their size."""

_MARK = "dataset_dict.json"


def write_dataset(rows: Iterable[Row], folder: Path, *, labels: Sequence[str], title: str) -> dict[Subset, int]:
    """Write rows as a ``DatasetDict`` into ``folder``; return the number of rows in each set.

    Features as in conll2003: ``id``, ``tokens``, and ``ner_tags``, a list of ``ClassLabel``: ``O``, then ``B-`` and
    ``I-`` of each of ``labels``; labels that are not among them follow. ``datasets.load_from_disk(folder)`` reads it,
    and so does ``datasets.load_dataset(folder)``, from ``parquet/SET.parquet``; a set without rows has no such file,
    since ``load_dataset`` refuses it. ``folder`` appears once it is complete, in place of an earlier data set. Raises
    `Conflict` where something else is there.
    """
    folder = folder.absolute()
    check_folder(folder)
    staged = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        with _without_progress_bars():
            sets = _read(rows, labels)
            sets.save_to_disk(staged, num_shards=dict.fromkeys(sets, 1))  # else an empty set could not be loaded
            (staged / "parquet").mkdir()
            for name, rows_of_set in sets.items():
                if len(rows_of_set):
                    rows_of_set.to_parquet(staged / "parquet" / f"{name}.parquet")
        (staged / "README.md").write_text(_card(sets, title), encoding="utf-8", errors="backslashreplace")
        _replace(folder, staged)
    except OSError as error:
        if error.filename is None and error.errno:  # Arrow's errors name no file
            raise OSError(error.errno, os.strerror(error.errno), str(folder)) from error
        raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return {name: len(sets[name]) for name in SUBSETS}


def check_folder(folder: Path) -> None:
    """Raise `Conflict` where a data set cannot be written without the loss of something else."""
    if folder.exists() and not folder.is_dir():
        raise Conflict(f"{folder} is a file: choose another folder for the data set.")
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        raise Conflict(f"{folder} is neither empty nor a data set: choose another folder.")


def _read(rows: Iterable[Row], labels: Sequence[str]) -> DatasetDict:
    ids = {tag: number for number, tag in enumerate(tag_set(labels))}
    columns: dict[Subset, list[list[pa.Array]]] = defaultdict(lambda: [[], [], []])
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH)):
        _add_tags(ids, batch)
        for name in SUBSETS:
            chosen = [row for row in batch if subset_of(row.task) == name]
            values = ([row.id for row in chosen], [row.tokens for row in chosen],
                      [[ids[tag] for tag in row.tags] for row in chosen])  # fmt: skip
            for column, value, type_ in zip(columns[name], values, _TYPES, strict=True):
                column.append(pa.array(value, type_))
    features = Features(
        {"id": Value("string"), "tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=list(ids)))}
    )
    return DatasetDict({name: _dataset(columns[name], features) for name in SUBSETS})


_TYPES = (pa.string(), pa.list_(pa.string()), pa.list_(pa.int64()))


def _add_tags(ids: dict[str, int], rows: Iterable[Row]) -> None:
    """Number the tags of labels that the configuration does not have."""
    for tag in {tag for row in rows for tag in row.tags} - ids.keys():
        _, label = split_tag(tag)
        for prefix in "BI":
            ids.setdefault(f"{prefix}-{label}", len(ids))


def _dataset(columns: Sequence[Sequence[pa.Array]], features: Features) -> Dataset:
    chunks = [pa.chunked_array(column, type_) for column, type_ in zip(columns, _TYPES, strict=True)]
    return Dataset(pa.Table.from_arrays(chunks, schema=features.arrow_schema))


def _card(sets: Mapping[str, Dataset], title: str) -> str:
    """The data set's card, with the files of each set as the hub and ``load_dataset`` read them."""
    files = [
        {"split": name, "path": f"parquet/{name}.parquet"} for name, rows_of_set in sets.items() if len(rows_of_set)
    ]
    data = DatasetCardData(
        configs=[{"config_name": "default", "data_files": files}],
        task_categories=["token-classification"],
        task_ids=["named-entity-recognition"],
        pretty_name=title,
        tags=["label-studio"],
    )
    sizes = ", ".join(f"{count(len(rows_of_set), 'row')} in {name}" for name, rows_of_set in sets.items())
    names = ", ".join(f"`{name}`" for name in next(iter(sets.values())).features["ner_tags"].feature.names)
    return f"""---
{data.to_yaml()}
---

# {" ".join(title.split())}

Labelled entities from Label Studio: {sizes}. A hash of a task's id decides which set it belongs to.

`tokens` are words, `ner_tags` their BIO tags: {names}. `id` is the task's id with the number of the sentence.

`datasets.load_dataset(FOLDER)` reads this folder, and so does `datasets.load_from_disk(FOLDER)`.
"""


def _replace(folder: Path, staged: Path) -> None:
    earlier = staged.with_suffix(".old")
    if folder.exists():
        folder.rename(earlier)
    staged.rename(folder)
    shutil.rmtree(earlier, ignore_errors=True)


@contextmanager
def _without_progress_bars() -> Iterator[None]:
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
