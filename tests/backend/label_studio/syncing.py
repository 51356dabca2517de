"""A sync of the fake Label Studio, for the tests of `sync` and `importer`."""

from __future__ import annotations

from collections.abc import Callable

from backend.inference.tasks import TextTagger
from backend.label_studio.sync import OnProgress, SyncResult, sync_predictions
from converters import LoadText
from label_config import LabelConfig
from tests.backend.fakes import LABEL_CONFIG, FakeLabelStudio, SushiTagger

CONFIG = LabelConfig.from_xml(LABEL_CONFIG)


def run_sync(
    studio: FakeLabelStudio,
    version: str = "ner-v1",
    *,
    keep_going: Callable[[], bool] = lambda: True,
    tagger: TextTagger | None = None,
    config: LabelConfig = CONFIG,
    load: LoadText | None = None,
    on_progress: OnProgress = lambda _: None,
) -> SyncResult:
    return sync_predictions(
        studio, 7, version=version, tagger=tagger or SushiTagger(), config=config, load=load,
        keep_going=keep_going, on_progress=on_progress,
    )  # fmt: skip


def counts(result: SyncResult) -> tuple[int, int, list[int], bool]:
    return result.present, result.stored, result.refused, result.complete
