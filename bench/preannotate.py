"""Measures how long the pre-annotation of a project takes, and how much of that is Label Studio's own time.

    python -m bench.preannotate [--tasks 2000] [--label-studio PROGRAM] [--json]

Starts its own Label Studio (SQLite, on this machine), imports that many texts of the corpus as tasks and runs
`python -m backend preannotate` on them. Reading, storing and counting are times of Label Studio, predicting is the
model's; the model predicts while Label Studio stores, so the parts are more than the total.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from backend.demo.processes import Processes
from backend.demo.show import Places, label_studio_command, label_studio_environment
from backend.label_studio.client import LabelStudio
from backend.registry import Registry
from backend.settings import Settings, load_settings
from backend.store import Store
from bench.corpus import DEFAULT, sentences
from bench.corpus_model import CACHE, ROOT, VERSION, corpus_version, documents, labels_of
from bench.load import repeated
from bench.memory import Peak, watched
from label_config import generate

TOKEN = "0123456789abcdef0123456789abcdef01234567"

_TRAINING_SENTENCES = 1000
_IMPORT_TASKS = 5000

_PARTS = {
    "reading": ("reading the tasks", "Label Studio"),
    "predicting": ("predicting", "the model"),
    "importing": ("storing predictions", "Label Studio"),
    "counting": ("counting predictions", "Label Studio"),
    "total": ("in all", ""),
}


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(options, Path(folder))
    print(_table(report))
    if options.json:
        print(json.dumps({"bench": "preannotate", **report}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=2000, help="tasks without labels")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of the corpus")
    parser.add_argument("--model", type=Path, help="folder of a version; by default one is trained and kept in --cache")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for the trained version")
    parser.add_argument(
        "--label-studio", type=Path, default=ROOT / ".venv-label-studio" / "bin" / "label-studio", help="the program"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return parser.parse_args()


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    train = documents(sentences(options.data / "train.bio"))
    version = options.model or corpus_version(train[:_TRAINING_SENTENCES], cache=options.cache)
    texts = [document.text for document in repeated(train, options.tasks)]
    places = Places(folder, label_studio_port=_free_port(), port=_free_port())
    settings = load_settings(
        _env_file=None,
        label_studio_url=places.label_studio_url,
        label_studio_api_key=TOKEN,
        model_dir=folder / "models",
        database_url=f"sqlite:///{folder / 'backend.sqlite3'}",
    )
    with Processes(folder / "logs") as processes:
        command = label_studio_command(places, options.label_studio)
        processes.start("label-studio", command, label_studio_environment(places, TOKEN))
        health = f"{places.label_studio_url}/health"
        processes.wait_for(health, name="label-studio", seconds=300, tick=lambda _: None)
        project = _prepare(settings, texts, version)
        return {"tasks": options.tasks, **_preannotate(settings, project, folder)}


def _prepare(settings: Settings, texts: list[str], version: Path) -> int:
    """Create a project with these tasks, served by the version; return its number."""
    label_studio = LabelStudio(settings.label_studio_base, TOKEN, timeout=300)
    labels = labels_of(version)
    project = label_studio.create_project("Pre-annotation", generate(labels))
    tasks = [{"data": {"text": text}} for text in texts]
    for start in range(0, len(tasks), _IMPORT_TASKS):
        label_studio.import_tasks(project.id, tasks[start : start + _IMPORT_TASKS])
    label_studio.close()
    store = Store(settings.database_url)
    store.projects.save(project.uid, title=project.title, label_config=project.label_config)
    registry = Registry(settings.model_dir, store)
    staged = settings.model_dir / "staged"
    staged.parent.mkdir(parents=True)
    staged.symlink_to(version.resolve(), target_is_directory=True)
    registry.publish(project.uid, VERSION, staged, run="bench", labels=tuple(labels), metrics={})
    registry.promote(project.uid, VERSION, actor="bench")
    store.close()
    return project.id


def _preannotate(settings: Settings, project: int, folder: Path) -> dict[str, Any]:
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "backend", "preannotate", "--project", str(project), "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **settings.environment()},
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    peak = Peak()
    with watched(process.pid, peak):
        output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"preannotate ended with exit code {process.returncode}.")
    [result] = json.loads(output)
    return {**result, "process_seconds": time.perf_counter() - started, "peak_mb": peak.mb}


def _table(report: dict[str, Any]) -> str:
    seconds = report["seconds"]
    rows = [f"| {report['tasks']:,} tasks | time of | seconds | ms per task |", "| --- | --- | --: | --: |"]
    rows += [
        f"| {name} | {owner} | {seconds[part]:.1f} | {1000 * seconds[part] / report['tasks']:.2f} |"
        for part, (name, owner) in _PARTS.items()
    ]
    stored, refused = report["stored"], len(report["refused"])
    summary = f"{stored:,} stored, {refused:,} refused; the process used at most {report['peak_mb']:.0f} MB."
    return "\n".join([*rows, "", summary])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
