"""``make demo ONCE=1``: answers queries as an annotator would and checks that the loop closes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import click

from backend.demo.narrator import Narrator
from backend.demo.processes import DemoError
from backend.demo.samples import Samples
from backend.demo.watch import Watch
from backend.scores import f1_in_words
from backend.store.models import Version
from converters import Span, regions
from label_config import LabelConfig

_MORE_THAN_THRESHOLD = 2


@dataclass(frozen=True, slots=True)
class Answered:
    """What the annotator did: tasks submitted, regions the model had right, and regions there really are."""

    tasks: int
    right: int
    regions: int


def answer_and_check(watch: Watch, samples: Samples, threshold: int, narrator: Narrator) -> int:
    """Submit corrected tasks until training starts, wait for the new version, verify, report; return 0.

    Raises `DemoError` with what failed.
    """
    before = watch.current_version()
    if before is None or threshold == 0:
        raise DemoError("The loop cannot be checked: START_TRAINING_EACH_N_UPDATES is 0, so labels start no training.")
    number = min(threshold + _MORE_THAN_THRESHOLD, len(samples.unlabelled) - 1)
    with narrator.step(f"Answering {number} queries as an annotator") as tick:
        answered = _answer(watch, samples, number, tick)
    with narrator.step("Waiting for the version trained with them") as tick:
        after = watch.new_version(before.name, tick)
    with narrator.step(f"Checking that Label Studio holds the predictions of {after.name}") as tick:
        predicted = watch.predictions(after.name, tick)
    click.echo(_report(watch, before, after, answered, predicted))
    return 0


def _answer(watch: Watch, samples: Samples, number: int, tick: Callable[[str], None]) -> Answered:
    config = LabelConfig.from_xml(watch.project.label_config)
    truth = {document.text: document.spans for document in samples.unlabelled}
    right = total = 0
    for done, task in enumerate(watch.label_studio.unlabelled_tasks(watch.project.id)[:number], start=1):
        text = task.data[config.text_field]
        spans = truth[text]
        [tagging] = watch.loop.predict(watch.project.uid, [text]).taggings
        right += len({_place(span) for span in tagging.spans} & {_place(span) for span in spans})
        total += len(spans)
        watch.label_studio.annotate(task.id, regions(text, spans, config))
        tick(f"· {done} of {number}")
    return Answered(number, right, total)


def _place(span: Span) -> tuple[int, int, str]:
    return span.start, span.end, span.label


def _report(watch: Watch, before: Version, after: Version, answered: Answered, predicted: int) -> str:
    run = watch.loop.run(after.run or "")
    seconds = (run.finished_at or 0.0) - (run.started_at or 0.0)
    return f"""
The loop closes.
  {before.name:<8} {f1_in_words(before.metrics)}, trained on the imported labels
  answered  {answered.tasks} queries; {answered.right} of their {answered.regions} regions were pre-labelled right
  {after.name:<8} {f1_in_words(after.metrics)}, trained by itself in {seconds:.0f} s ({run.reason}); {after.verdict}
  pre-labels {predicted} predictions of {after.name} in Label Studio, one for every unlabelled query, and shown there
"""
