"""What is shipped besides the code: the compose file, the image, the command that demo and compose share."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REQUIRED = {"LABEL_STUDIO_API_KEY": "0" * 40, "LABEL_STUDIO_PASSWORD": "correct horse"}


def compose_config(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    program = shutil.which("docker-compose")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("docker-compose is missing: .ci/run installs Debian's package")
        pytest.skip("docker-compose is not installed")
    clean = {name: value for name, value in os.environ.items() if name == "PATH"}
    return subprocess.run(
        [program, "-f", ROOT / "docker-compose.yml", "config"],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )


def test_compose_accepts_the_file_and_runs_the_demonstrations_commands() -> None:
    answer = compose_config(REQUIRED)
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"^  backend:$.*?command: serve", answer.stdout, re.MULTILINE | re.DOTALL)
    assert re.search(r"^  worker:$.*?command: work", answer.stdout, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("missing", REQUIRED)
def test_compose_says_which_secret_is_missing(missing: str) -> None:
    answer = compose_config({name: value for name, value in REQUIRED.items() if name != missing})
    assert answer.returncode != 0
    assert ".env" in answer.stderr


def test_every_variable_that_compose_sets_is_one_the_service_reads() -> None:
    from backend.settings import Settings

    text = (ROOT / "docker-compose.yml").read_text()
    block = text.partition("environment: &settings")[2].partition("volumes:")[0]
    names = set(re.findall(r"^    ([A-Z_]+):", block, re.MULTILINE))
    assert names - {name.upper() for name in Settings.model_fields} == {"HF_HOME"}


def test_the_image_contains_every_package_that_runs() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text()
    for package in ("backend", "converters", "label_config"):
        assert f"COPY {package} {package}" in dockerfile
        assert f"!{package}\n" in ignored


def test_the_image_installs_what_is_locked_with_its_hashes() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "!requirements*.lock\n" in (ROOT / ".dockerignore").read_text()
    copied = re.search(r"^COPY (requirements.*) \./$", dockerfile, re.MULTILINE)
    assert copied is not None
    assert set(copied[1].split()) == {"requirements-pip.lock", "requirements-cuda.lock", "requirements.lock"}
    installs = re.findall(r"pip install .*", dockerfile)
    assert installs
    assert all("--require-hashes" in install for install in installs)


def test_pre_commit_runs_what_make_check_runs() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    hooks = re.findall(r"entry: (.*)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert hooks == re.findall(r"\$\(BIN\)(.*)", recipe.replace("$(BIN)", "$(BIN).venv/bin"))


def test_readme_documents_every_setting() -> None:
    from backend.settings import Settings

    readme = (ROOT / "README.md").read_text()
    assert not [name.upper() for name in Settings.model_fields if f"`{name.upper()}`" not in readme]
