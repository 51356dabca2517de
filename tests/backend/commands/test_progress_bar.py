from __future__ import annotations

import io
import sys

import pytest

from backend.commands import progress_bar as module
from backend.commands.progress_bar import Bar


def test_pipe_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Bar("Export") as bar:
        bar.show(1, "too soon", total=4)
        monkeypatch.setattr(module, "_LINE_SECONDS", 0.0)
        bar.show(2, "half of\x1b[31m it")
        bar.show(4)
    captured = capsys.readouterr()
    assert captured.err == "Export: 50 % half of\ufffd[31m it\nExport: 100 %\n"
    assert captured.out == ""


def test_without_a_total_it_tells_what_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LINE_SECONDS", 0.0)
    with Bar("Export") as bar:
        bar.show(0, "Label Studio collects the tasks")
    assert capsys.readouterr().err == "Export: Label Studio collects the tasks\n"


def test_terminal_gets_a_bar_that_obeys_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    with Bar("Run [red]1[/]", total=1.0) as bar:
        bar.show(0.5, "training [bold]half[/] \x1b]0;title\x07")
    shown = terminal.getvalue()
    assert "Run [red]1[/]" in shown
    assert "training [bold]half[/] \ufffd]0;title\ufffd" in shown
    assert "50%" in shown


def test_track_counts_the_processed_items(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LINE_SECONDS", 0.0)
    monkeypatch.setattr(module, "_UPDATE_ITEMS", 2)
    with Bar("Export") as bar:
        assert list(bar.track("abcd", "tasks")) == list("abcd")
    assert capsys.readouterr().err == "Export: 0 % 4 tasks\nExport: 50 % 4 tasks\nExport: 100 % 4 tasks\n"
