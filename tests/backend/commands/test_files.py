from __future__ import annotations

from pathlib import Path

import pytest

from tests.backend.commands.conftest import Command


@pytest.mark.parametrize("name", ["evaluate", "tag"])
def test_folder_that_is_no_version_is_named(name: str, command: Command, tmp_path: Path) -> None:
    result = command(name, "nowhere", "text")
    assert result.exit_code == 1
    assert "nowhere is no folder: give a folder that `fit` wrote" in result.stderr
    assert "is no version of a model" in command(name, str(tmp_path), "text").stderr
