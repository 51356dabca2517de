from __future__ import annotations

import io
import re
import sys
from collections import Counter

import pytest
from rich.cells import cell_len

from backend.commands.output import duration, iso, moment, plain, show_facts, show_json, show_table
from backend.store.models import Project

HOSTILE = "[bold red]sale[/] \x1b[31mred\x1b]0;title\x07 \u202egnp.exe :smile:\nnext"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_pipe_gets_a_line_a_row_without_colours(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("name", "text"), [("a", "long " * 60), (2, None)])
    heading, first, second = capsys.readouterr().out.splitlines()
    assert heading.split() == ["name", "text"]
    assert first == "a     " + ("long " * 60).strip()
    assert second.split() == ["2", "None"]


def test_markup_and_control_characters_are_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    show_table((HOSTILE,), [(HOSTILE,)])
    show_facts(HOSTILE, [("name", HOSTILE)])
    out = capsys.readouterr().out
    assert out.count("[bold red]sale[/] \ufffd[31mred\ufffd]0;title\ufffd \ufffdgnp.exe :smile: next") == 4
    assert not set("\x1b\x07\u202e") & set(out)


def on_terminal(width: int, monkeypatch: pytest.MonkeyPatch, rows: list[tuple[str, ...]]) -> list[str]:
    """Lines of a table on a terminal; nothing in them may be lost."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.delenv("NO_COLOR", raising=False)
    show_table(("name", "result"), rows)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()
    assert "\x1b[" in terminal.getvalue()
    assert max(map(cell_len, lines)) <= width
    shown = Counter("".join(lines).replace(" ", ""))
    assert not Counter("".join("".join(row) for row in rows).replace(" ", "")) - shown
    return lines


@pytest.mark.parametrize("width", [16, 30, 40, 60, 80, 200])
def test_narrow_terminal_folds_and_loses_nothing(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "There are 0 labelled tasks with entities; label at least 10 tasks, then train again."
    on_terminal(width, monkeypatch, [("ner-v1", sentence), ("ner-v2", "x" * 100), ("寿司", "近くの寿司" * 9), ("", "")])


def test_words_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = on_terminal(26, monkeypatch, [("7 Restaurants", "promoted by hand")])
    assert [line.split() for line in lines[2:]] == [["7", "promoted", "by"], ["Restaurants", "hand"]]


def test_rows_become_facts_where_their_words_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = on_terminal(21, monkeypatch, [("7 Restaurants", "promoted by hand"), ("8", "")])
    assert [line.rstrip() for line in lines] == [
        "name    7 Restaurants", "result  promoted by", "        hand", "", "name  8", "",
    ]  # fmt: skip


def test_json_is_a_list_of_objects(capsys: pytest.CaptureFixture[str]) -> None:
    show_json([])
    show_json([{"title": "Größe"}])
    assert capsys.readouterr().out == '[]\n[\n  {\n    "title": "Größe"\n  }\n]\n'


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "–"), (0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (3600, "1 h 0 min")]
)
def test_duration(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_times_are_utc() -> None:
    assert (iso(0.0), moment(0.0)) == ("1970-01-01T00:00:00Z", "1970-01-01 00:00 UTC")
    assert (iso(None), moment(None)) == (None, "–")


def test_plain_takes_any_value() -> None:
    assert plain(Project(uid="7.1").uid) == "7.1"
    assert plain("  a \t b ") == "a b"
