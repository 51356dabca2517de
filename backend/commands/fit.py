"""``fit``: trains a version from files alone."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.commands.files import corpus_options, open_corpus
from backend.commands.progress_bar import Bar
from backend.conversion import count
from backend.errors import BackendError, Conflict, error_of_kind
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.recipe import Recipe
    from backend.training.split import Split, Subset
    from converters.corpus import Corpus


@click.command()
@click.argument("train", metavar="TRAIN")
@click.option("--validation", metavar="FILE", help="Chooses the weights; by default a tenth of TRAIN.")
@click.option("--test", metavar="FILE", help="Is only scored; by default a tenth of TRAIN.")
@click.option("--output", metavar="FOLDER", required=True, help="The version's folder, which is new or empty.")
@click.option("--base-model", metavar="NAME", help="A hub name, a folder, or embedded.  [default: BASELINE_MODEL_NAME]")
@click.option("--epochs", type=float, help="Passes over the training texts.")
@click.option("--learning-rate", type=float, help="Peak learning rate.")
@click.option("--weight-decay", type=float, help="AdamW weight decay.")
@click.option("--batch-size", type=int, help="Training examples per optimiser step.")
@click.option("--seed", type=int, help="Seed of every random choice.")
@corpus_options
@click.pass_obj
def fit(
    settings: Settings,
    /,
    train: str,
    validation: str | None,
    test: str | None,
    output: str,
    base_model: str | None,
    epochs: float | None,
    learning_rate: float | None,
    weight_decay: float | None,
    batch_size: int | None,
    seed: int | None,
    **reading: Any,
) -> None:
    """Train a version from files, without Label Studio.

    TRAIN is a CoNLL file in any layout, with its sidecar if there is one, or an export of Label Studio in JSON. The
    labels are those of TRAIN. Nothing is written to FOLDER until training is complete.
    """
    folder = _free_folder(output)
    overrides = {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "batch_size": batch_size,
        "seed": seed,
    }
    recipe = _recipe(settings, base_model, {name: value for name, value in overrides.items() if value is not None})
    corpus = open_corpus(train, **reading)
    given = {name: open_corpus(file, **reading) if file else None
             for name, file in (("validation", validation), ("test", test))}  # fmt: skip
    from backend.training.from_files import FilesJob, build_in_process, make_sets, shares

    subsets = make_sets(
        corpus.documents,
        validation=given["validation"].documents if given["validation"] else None,
        test=given["test"].documents if given["test"] else None,
        labels=corpus.labels,
    )
    files: dict[Subset, str] = {"train": train, "validation": validation or train, "test": test or train}
    _describe(corpus, given, subsets, train)
    job = FilesJob(
        subsets=subsets,
        labels=corpus.labels,
        recipe=recipe,
        precision=settings.precision,
        name=folder.name,
        files={name: Path(file).name for name, file in files.items()},
    )
    with (
        _ended_by_signals(),
        _named_by_options(base_model),
        Bar("Training", total=1.0) as bar,
        closing(build_in_process(job, folder)) as phases,
    ):
        for phase, fraction in phases:
            bar.show(shares(phase, fraction), phase)
    _show_result(output)


def _recipe(settings: Settings, base_model: str | None, overrides: dict[str, Any]) -> Recipe:
    from dataclasses import replace

    from backend.recipe import Recipe

    recipe = Recipe.from_settings(settings, overrides)
    return replace(recipe, base=base_model) if base_model else recipe


def _free_folder(output: str) -> Path:
    folder = Path(output).absolute()
    if folder.exists() and not folder.is_dir():
        raise Conflict(f"{output} is a file: choose another --output.")
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{output} is not empty: choose another --output, or remove it.")
    return folder


def _describe(corpus: Corpus, given: Mapping[str, Corpus | None], subsets: Split, train: str) -> None:
    click.echo(f"Labels: {', '.join(corpus.labels)}.", err=True)
    sizes = {name: len({document.id for document in getattr(subsets, name)}) for name in ("train", *given)}
    click.echo(f"Texts: {', '.join(f'{size:,} for {_PURPOSES[name]}' for name, size in sizes.items())}.", err=True)
    held_out = [name for name, other in given.items() if other is None]
    if held_out:
        a_tenth = "a tenth" + (" for each" if len(held_out) > 1 else "")
        click.echo(f"Those for {' and '.join(held_out)} are held out of {train}: {a_tenth}, chosen by id.", err=True)
    learnt = {document.text for document in subsets.train}
    for name in given:
        if repeated := sum(document.text in learnt for document in getattr(subsets, name)):
            are, their = ("is", "it makes") if repeated == 1 else ("are", "they make")
            click.echo(
                f"{count(repeated, 'text')} for {name} {are} among those for training too: {their} its score too high.",
                err=True,
            )
    outcome = {"validation": "are not scored", "test": "count as missed"}
    for name, other in given.items():
        missing = sorted(set(other.labels) - set(corpus.labels)) if other else []
        if missing:
            says = f"{train} lacks these labels of the {name} file, so their regions {outcome[name]}"
            click.echo(f"{says}: {', '.join(missing)}.", err=True)


_PURPOSES = {"train": "training", "validation": "validation", "test": "test"}


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Inside the block SIGTERM and SIGHUP do what Ctrl+C does, so that the training process and its files go too."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _named_by_options(base_model: str | None) -> Iterator[None]:
    """Messages of training name settings: this names the options that are used in their place."""
    options = {"TRAIN_BATCH_SIZE": "--batch-size", " or lower KEEP_VERSIONS": ""}
    if base_model:
        options |= {"BASELINE_MODEL_NAME=": "--base-model ", "BASELINE_MODEL_NAME": "--base-model"}
    try:
        yield
    except BackendError as error:
        sentence = str(error)
        for setting, option in options.items():
            sentence = sentence.replace(setting, option)
        raise error_of_kind(type(error).__name__, sentence) from None


def _show_result(output: str) -> None:
    import json

    from backend.scores import TEXT, Score

    metrics = json.loads((Path(output) / "metrics.json").read_text(encoding="utf-8"))
    for name in ("validation", "test"):
        click.echo(f"{name.capitalize()}: {Score.from_metrics(metrics[name] or {}, unit=TEXT).sentence}.")
    click.echo(f"{output} is complete. Try it: python -m backend tag {shlex.quote(output)} 'some text'")
