from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from backend.settings import Settings
from tests import samples
from tests.backend.commands.conftest import Command
from tests.samples import marked, write_corpus

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.mark.slow
def test_version_is_trained_from_files_alone(command: Command, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.conll", samples.documents())
    test = write_corpus(tmp_path / "test.conll", [*samples.documents(40), marked("[Ana|Person] ate", id="99")])
    result = command("fit", corpus, "--test", test, "--output", "model", "--base-model", "embedded", "--epochs", "1")
    assert result.exit_code == 0, result.output
    assert "Labels: Cuisine, Dish, Location." in result.stderr
    assert f"Those for validation are held out of {corpus}: a tenth, chosen by id." in result.stderr
    assert "labels of the test file, so their regions count as missed: Person." in result.stderr
    assert "Test: F1 " in result.stdout
    assert " on 41 texts." in result.stdout
    metrics = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert metrics["counts"]["documents"]["test"] == 41
    person = metrics["test"]["per_label"]["Person"]
    assert (person["recall"], person["support"]) == (0, 1)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "Label Studio" not in card
    assert "task" not in card.partition("\n---\n")[2]
    assert "on the files `corpus.conll` and `test.conll`." in card
    assert "The test set is `test.conll`." in card
    assert sorted(path.name for path in tmp_path.iterdir() if "part" in path.name) == []


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["ramen"], "1 text for test is among those for training too: it makes its score too high."),
        (["ramen", "pie"], "2 texts for test are among those for training too: they make its score too high."),
        (["soup"], ""),
    ],
)
def test_texts_that_are_learnt_and_scored_are_counted(
    texts: list[str], says: str, command: Command, tmp_path: Path
) -> None:
    corpus = write_corpus(tmp_path / "corpus.conll", [marked("[ramen|Dish]"), marked("[pie|Dish]", id="2")])
    validation = write_corpus(tmp_path / "validation.conll", [marked("[stew|Dish]")])
    test = write_corpus(tmp_path / "test.conll", [marked(text, id=text) for text in texts])
    options = ("--validation", validation, "--test", test, "--output", "model", "--base-model", "./nowhere")
    result = command("fit", corpus, *options)
    assert "--base-model ./nowhere is a path, but no folder is there" in result.stderr
    assert (says in result.stderr, "too high" in result.stderr) == (True, bool(says))


def test_folder_with_files_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes").write_text("mine")
    result = command("fit", "corpus.conll", "--output", "model")
    assert result.exit_code == 1
    assert "model is not empty: choose another --output" in result.stderr


@pytest.mark.parametrize(
    ("content", "words"), [("", "no labelled text"), ("just words\nwithout tags\n", "corpus.conll: ")]
)
def test_file_that_is_no_corpus_is_named(content: str, words: str, command: Command, tmp_path: Path) -> None:
    (tmp_path / "corpus.conll").write_text(content)
    result = command("fit", "corpus.conll", "--output", "model")
    assert result.exit_code == 1
    assert words in result.stderr
    assert not (tmp_path / "model").exists()


def test_failure_of_training_is_one_sentence_and_leaves_nothing(command: Command, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.conll", samples.documents())
    (tmp_path / "base").mkdir()
    before = sorted(tmp_path.iterdir())
    result = command("fit", corpus, "--output", "model", "--base-model", str(tmp_path / "base"))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(f"Error: --base-model {tmp_path / 'base'} cannot be loaded")
    assert "BASELINE_MODEL_NAME" not in result.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path, processes: Start) -> None:
    corpus = write_corpus(tmp_path / "corpus.conll", samples.documents())
    before = sorted(tmp_path.iterdir())
    process = processes(corpus, "--epochs", "0.1", preexec_fn=small_files)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Training may not write files as large as a model" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    assert "KEEP_VERSIONS" not in errors
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_training_leaves_nothing(number: signal.Signals, tmp_path: Path, processes: Start) -> None:
    corpus = write_corpus(tmp_path / "corpus.conll", samples.documents())
    before = sorted(tmp_path.iterdir())
    process = processes(corpus, "--epochs", "1000")
    wait_until(lambda: any(tmp_path.glob(".model.*.part")))
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    process.communicate(timeout=60)  # until the training process has ended too, which holds the pipes
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 1)
    assert sorted(tmp_path.iterdir()) == before


def small_files() -> None:
    """No file may grow beyond a megabyte: a model is larger."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def processes(
    tmp_path: Path, settings: Settings, child_environment: Callable[[Settings], dict[str, str]]
) -> Iterator[Start]:
    """Start ``fit`` in a process group of its own, as a terminal does."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str, **options: Any) -> subprocess.Popen[str]:
        line = [sys.executable, "-m", "backend", "fit", *words, "--output", "model", "--base-model", "embedded"]
        environment = {**child_environment(settings), "PYTHONUNBUFFERED": "1"}
        started.append(
            subprocess.Popen(
                line, cwd=tmp_path, env=environment, start_new_session=True, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
            )
        )  # fmt: skip
        return started[-1]

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
