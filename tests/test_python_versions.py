"""One list of Pythons, the Makefile's, and nothing that a later one of them has removed."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("backend", "bench", "converters", "label_config", "tests", "tools")

# What's New in Python 3.12 and 3.13, "Removed".
REMOVED_IN_3_12 = {"asynchat", "asyncore", "distutils", "imp", "smtpd"}
REMOVED_IN_3_13 = {
    *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib", "nis"),
    *("nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"),
}


def pythons() -> list[str]:
    line = re.search(r"^PYTHONS := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert line is not None
    return line[1].split()


def pyproject() -> dict[str, dict[str, object]]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def imported_modules(source: str) -> Iterator[str]:
    """Top-level names of the modules that a file imports, in functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def test_package_metadata_names_the_makefiles_pythons() -> None:
    oldest, newest = pythons()[0], pythons()[-1]
    following = f"3.{int(newest.partition('.')[2]) + 1}"
    project = pyproject()["project"]
    assert project["requires-python"] == f">={oldest},<{following}"
    assert project["classifiers"] == [f"Programming Language :: Python :: {python}" for python in pythons()]


def test_ruff_and_mypy_check_for_the_oldest_python() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert tools["ruff"]["target-version"] == f"py{pythons()[0].replace('.', '')}"
    assert tools["mypy"]["python_version"] == pythons()[0]


def test_image_has_one_of_the_makefiles_pythons() -> None:
    python = re.search(r"^ARG PYTHON_VERSION=(.+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert python is not None
    assert python[1] in pythons()


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_removed_module_is_imported(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    found = {
        f"{file.relative_to(ROOT)}: {module}"
        for file in files
        for module in imported_modules(file.read_text(encoding="utf-8"))
        if module in REMOVED_IN_3_12 | REMOVED_IN_3_13
    }
    assert not found
