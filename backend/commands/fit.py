"""``fit``: trains a version from files alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.commands.corpus_options import corpus_options, open_corpus
from backend.commands.progress_bar import Bar
from backend.conversion import count
from backend.errors import Conflict
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.training.split import Split
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
    from backend.training.files import FilesJob, build_in_process, make_sets, shares

    subsets = make_sets(
        corpus.documents,
        validation=given["validation"].documents if given["validation"] else None,
        test=given["test"].documents if given["test"] else None,
        labels=corpus.labels,
    )
    _describe(corpus, given, subsets)
    job = FilesJob(
        subsets=subsets,
        labels=corpus.labels,
        recipe=recipe,
        precision=settings.precision,
        name=folder.name,
        source=_source([train, validation, test]),
    )
    with Bar("Training", total=1.0) as bar, closing(build_in_process(job, folder)) as phases:
        for phase, fraction in phases:
            bar.show(shares(phase, fraction), phase)
    _show_result(folder)


def _recipe(settings: Settings, base_model: str | None, overrides: dict[str, Any]) -> Any:
    from dataclasses import replace

    from backend.recipe import Recipe

    recipe = Recipe.from_settings(settings, overrides)
    return replace(recipe, base=base_model) if base_model else recipe


def _free_folder(output: str) -> Path:
    folder = Path(output).absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(f"{output} exists and is not an empty folder: choose another --output, or remove it.")
    return folder


def _source(files: Sequence[str | None]) -> str:
    return f"the files {', '.join(f'`{Path(file).name}`' for file in files if file)}"


def _describe(corpus: Corpus, given: dict[str, Corpus | None], subsets: Split) -> None:
    click.echo(f"Labels: {', '.join(corpus.labels)}.", err=True)
    sizes = {name: len({document.id for document in getattr(subsets, name)}) for name in ("train", *given)}
    parts = [f"{count(size, 'text')} for {name}" for name, size in sizes.items()]
    click.echo(f"{', '.join(parts)}.", err=True)
    held_out = [name for name, other in given.items() if other is None]
    if held_out:
        click.echo(f"Held out of the training file for {' and '.join(held_out)}: a tenth each, chosen by id.", err=True)
    outcome = {"validation": "are not scored", "test": "count as missed"}
    for name, other in given.items():
        missing = sorted(set(other.labels) - set(corpus.labels)) if other else []
        if missing:
            click.echo(
                f"Labels of {name} that the training file lacks {outcome[name]}: {', '.join(missing)}.", err=True
            )


def _show_result(folder: Path) -> None:
    import json

    from backend.scores import Score

    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    for name in ("validation", "test"):
        score = Score.from_metrics(metrics[name] or {})
        click.echo(f"{name.capitalize()}: {score.sentence.replace('held-out task', 'text')}.")
    click.echo(f"Written to {folder}. Try it: python -m backend tag {folder} 'some text'")
