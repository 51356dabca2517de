"""``make demo ONCE=1``: labels queries as an annotator would and checks the whole loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import click

from backend.demo.processes import DemoError
from backend.demo.project import DemoProject
from backend.demo.samples import Samples
from backend.demo.steps import Steps
from backend.evaluation.verdict import describe
from backend.scores import Score
from backend.store.models import Version
from converters import Span, regions
from label_config import LabelConfig

_MORE_THAN_THRESHOLD = 2


@dataclass(frozen=True, slots=True)
class Labelled:
    """What the annotator submitted: tasks, their regions, and how many of these were pre-labelled correctly."""

    tasks: int
    regions: int
    correct: int


def label_and_check(project: DemoProject, samples: Samples, threshold: int, steps: Steps) -> None:
    """Label tasks until training starts, wait for the new version and its predictions, and print a report.

    Raises `DemoError` with the reason where that fails.
    """
    before = project.current_version()
    if before is None or threshold == 0:
        raise DemoError(
            "The loop cannot be checked, because labels start no training: "
            "set START_TRAINING_EACH_N_UPDATES to a number above 0."
        )
    number = min(threshold + _MORE_THAN_THRESHOLD, len(samples.unlabelled) - 1)
    with steps.step(f"Labelling {number} queries as an annotator") as tick:
        labelled = _label(project, samples, number, tick)
    with steps.step("Waiting for the version trained with them") as tick:
        after = project.wait_for_version(before.name, tick)
    with steps.step(f"Checking that Label Studio has the predictions of {after.name}") as tick:
        predicted = project.wait_for_predictions(after.name, tick)
    click.echo(_report(project, before, after, labelled, predicted))


def _label(project: DemoProject, samples: Samples, number: int, tick: Callable[[str], None]) -> Labelled:
    [labelled_text] = LabelConfig.from_xml(project.remote.label_config).texts
    truth = {document.text: document.spans for document in samples.unlabelled}
    total = correct = 0
    for done, task in enumerate(project.label_studio.unlabelled_tasks(project.remote.id)[:number], start=1):
        text = labelled_text.shown(task.data) or ""
        spans = truth[text]
        [tagging] = project.loop.predict(project.remote.uid, [text]).taggings
        correct += len({_place(span) for span in tagging.spans} & {_place(span) for span in spans})
        total += len(spans)
        project.label_studio.annotate(task.id, regions(text, spans, labelled_text))
        tick(f"· {done} of {number}")
    return Labelled(number, total, correct)


def _place(span: Span) -> tuple[int, int, str]:
    return span.start, span.end, span.label


def _report(project: DemoProject, before: Version, after: Version, labelled: Labelled, predicted: int) -> str:
    run = project.loop.run(after.run or "")
    seconds = (run.finished_at or 0.0) - (run.started_at or 0.0)
    old, new = Score.from_metrics(before.metrics).sentence, Score.from_metrics(after.metrics).sentence
    return f"""
The loop works.
  {before.name:<10} {old}, trained on the imported labels
  labelled   {labelled.tasks} queries; {labelled.correct} of their {labelled.regions} regions had correct pre-labels
  {after.name:<10} {new}, trained automatically in {seconds:.0f} s ({run.reason}); {describe(after)}
  pre-labels {predicted} predictions of {after.name} are stored and shown, one for every unlabelled query
"""
