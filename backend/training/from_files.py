"""Trains a version from documents of files, in a process of its own with the environment of a run."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import traceback
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

from backend.errors import BackendError, NotEnoughLabels, TrainingError, error_of_kind
from backend.inference.tagger import Precision
from backend.recipe import Recipe
from backend.training.acceleration.environment import training_environment
from backend.training.faults import translate_faults
from backend.training.split import Split, Subset, subset_of
from converters.document import Document
from converters.tagged import tag_document


@dataclass(frozen=True, slots=True)
class FilesJob:
    """A version to train: its sets, labels and recipe, and the names of the files that the sets come from."""

    subsets: Split
    labels: tuple[str, ...]
    recipe: Recipe
    precision: Precision
    name: str
    files: Mapping[Subset, str]


def make_sets(
    train: Sequence[Document],
    *,
    validation: Sequence[Document] | None,
    test: Sequence[Document] | None,
    labels: Sequence[str],
) -> Split:
    """The sets of training on files; one that is not given is a tenth of ``train`` by the hash of the ids.

    Words with a label that ``train`` lacks are unknown in the validation set; in the test set they count as missed.
    Raises `NotEnoughLabels` if the training set has no entity.
    """
    given = {"validation": validation, "test": test}
    sets: dict[Subset, list[Document]] = {"train": [], "validation": [], "test": []}
    for document in train:
        name = subset_of(document.id)
        sets["train" if name != "train" and given[name] is not None else name].append(document)
    for name in ("validation", "test"):
        # Ids of different files may be the same, and texts with one id would be scored as one.
        sets[name] += [replace(document, id=f"{name}/{document.id}") for document in given[name] or ()]
    if not any(document.spans for document in sets["train"]):
        raise NotEnoughLabels("The training set has no entity: give a file with more labelled texts.")
    return Split(
        train=tuple(tag_document(document) for document in sets["train"]),
        validation=tuple(tag_document(document, labels=labels) for document in sets["validation"]),
        test=tuple(tag_document(document) for document in sets["test"]),
    )


def build_in_process(job: FilesJob, output: Path) -> Generator[tuple[str, float], None, None]:
    """Train and write the version's folder ``output``, which is absent or empty; yields the phase and its fraction.

    The folder appears once it is complete. If the iterator is closed, the process ends and its files are removed.
    Raises what the process raised.
    """
    staged = output.with_name(f".{output.name}.{os.getpid()}.part")
    output.parent.mkdir(parents=True, exist_ok=True)
    receiver, sender = get_context("spawn").Pipe(duplex=False)
    process = get_context("spawn").Process(target=_build, args=(job, staged, sender), daemon=True)
    try:
        with patch.dict(os.environ, training_environment()), _interrupts_ignored():
            process.start()
        sender.close()
        yield from _messages(receiver)
        process.join()
        if output.is_dir():
            output.rmdir()
        staged.replace(output)
    finally:
        if process.pid is not None:
            process.kill()
            process.join()
        shutil.rmtree(staged, ignore_errors=True)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """The process started inside ignores Ctrl+C, which a terminal sends to both; this one ends it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _messages(receiver: Connection) -> Iterator[tuple[str, float]]:
    """Progress until the process says that it is done; raises its error."""
    while True:
        try:
            kind, value = receiver.recv()
        except EOFError:
            raise TrainingError(
                "The training process ended without a result, most likely because memory ran out: "
                "use a smaller --batch-size or --base-model."
            ) from None
        if kind == "done":
            return
        if kind != "progress":
            raise error_of_kind(kind, value)
        yield value


def _build(job: FilesJob, folder: Path, sender: Connection) -> None:
    # Faults log their traceback, which belongs in the log of a run; here the command shows their sentence.
    logging.getLogger("backend").addHandler(logging.NullHandler())
    try:
        from backend.training.build import build_version

        with translate_faults(folder.parent):
            build_version(
                [],
                labels=job.labels,
                name=job.name,
                recipe=job.recipe,
                folder=folder,
                progress=lambda phase, fraction: sender.send(("progress", (phase, fraction))),
                precision=job.precision,
                subsets=job.subsets,
                files=job.files,
            )
        sender.send(("done", None))
    except BrokenPipeError:  # the command was killed
        shutil.rmtree(folder, ignore_errors=True)
    except BackendError as error:
        sender.send((type(error).__name__, str(error)))
    except Exception as error:
        traceback.print_exc()
        sender.send(("TrainingError", f"Training failed with an unexpected error: {_described(error)}."))


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(".")


def shares(phase: str, fraction: float) -> float:
    """The fraction of all work that is done, by the usual times of the phases."""
    begin, end = _SHARES[phase]
    return begin + (end - begin) * fraction


_SHARES: dict[str, tuple[float, float]] = {
    "preparing": (0.0, 0.02),
    "training": (0.02, 0.88),
    "exporting": (0.88, 0.92),
    "evaluating": (0.92, 1.0),
}
