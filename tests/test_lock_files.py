"""The lock files: they hold what requirements*.txt pin, with hashes, and fit every machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = sorted(path.name for path in ROOT.glob("*.lock"))


def pins(name: str) -> dict[str, str]:
    """Version of every package by its normalized name."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([\w.!+]+)", text, flags=re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in found}


@pytest.mark.parametrize(
    ("requirements", "locks"),
    [
        ("requirements.txt", ["requirements.lock"]),
        # What the service needs too is locked once.
        ("requirements-dev.txt", ["requirements.lock", "requirements-dev.lock"]),
        ("requirements-label-studio.txt", ["requirements-label-studio.lock"]),
        ("requirements-label-studio-ml.txt", ["requirements-label-studio-ml.lock"]),
    ],
)
def test_every_pin_is_locked(requirements: str, locks: list[str]) -> None:
    wanted = pins(requirements)
    locked = {package: version for lock in locks for package, version in pins(lock).items()}
    assert wanted
    assert wanted.items() <= locked.items(), "run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    for package in re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]:
        assert re.search(r"^    --hash=sha256:[0-9a-f]{64}\b", package, flags=re.MULTILINE), package


@pytest.mark.parametrize("lock", LOCKS)
def test_no_address_and_no_path(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.findall(r"^.*(?:index-url|find-links|://|\s/).*$", text, flags=re.MULTILINE)


def test_service_is_locked_without_the_test_tools() -> None:
    assert not {"pytest", "ruff", "mypy", "playwright"} & pins("requirements.lock").keys()


def test_cuda_is_only_a_constraint() -> None:
    """pip installs its packages when torch's build asks for them."""
    assert "-c requirements-cuda.lock\n" in (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not [name for name in pins("requirements.lock") if name.startswith(("nvidia-", "cuda-", "triton"))]


def test_cpu_build_is_the_one_of_the_pinned_torch() -> None:
    assert pins("requirements-cpu.lock") == {"torch": f"{pins('requirements.txt')['torch']}+cpu"}
