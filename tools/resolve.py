"""Whether everything locked has wheels for the Pythons named: `make resolve`.

Two resolvers answer, each from the pins of requirements*.txt with the locked versions as constraints, and from wheels
alone: pip for this machine's platform, uv for others too. Both install nothing, and read no more of a wheel than its
metadata, so that torch's gigabytes are not fetched.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-cuda.lock")

# Published as source only, in plain Python: pip builds it anywhere.
SOURCE_ONLY = ("seqeval",)

PLATFORMS = {
    "Linux x86-64": "x86_64-manylinux_2_28",
    "Linux aarch64": "aarch64-manylinux_2_28",
    "macOS 14 arm64": "aarch64-apple-darwin",
}


def pins(*names: str) -> list[str]:
    """`name==version ; marker` of every package, without what is published as source only."""
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in names)
    lines = re.findall(r"^[A-Za-z0-9][^\\\n]*", text, flags=re.MULTILINE)
    return [line.strip() for line in lines if line.partition("==")[0].partition("[")[0] not in SOURCE_ONLY]


def by_pip(python: str, wanted: Path, constraints: Path) -> int:
    """How many packages pip would install; `CalledProcessError` after its own message if it finds no way."""
    report = wanted.with_name("report.json")
    command: list[str | Path] = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "-qq"]
    command += ["--only-binary=:all:", "--python-version", python, "--target", wanted.with_name("target")]
    # Reads the metadata alone also where the index does not serve it apart from the wheel.
    command += ["--use-feature=fast-deps"]
    subprocess.run([*command, "-r", wanted, "-c", constraints, "--report", report], check=True)
    return len(json.loads(report.read_text(encoding="utf-8"))["install"])


def by_uv(python: str, platform: str, wanted: Path, constraints: Path) -> int:
    """The same by uv, which evaluates environment markers for the platform asked about."""
    command: list[str | Path] = [UV, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--only-binary=:all:"]
    command += ["--python-version", python, "--python-platform", platform, "-c", constraints, wanted]
    environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"}  # the oldest that torch has wheels for
    found = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    return found.count("==")


def row(python: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        wanted, constraints = Path(folder, "wanted.txt"), Path(folder, "constraints.txt")
        wanted.write_text("\n".join(pins("requirements.txt", "requirements-dev.txt")), encoding="utf-8")
        constraints.write_text("\n".join(pins(*LOCKS)), encoding="utf-8")
        counts = [by_pip(python, wanted, constraints)]
        counts += [by_uv(python, platform, wanted, constraints) for platform in PLATFORMS.values()]
    return " | ".join([f"{python:<6}", *(f"{count:>14}" for count in counts)])


def main() -> None:
    print("Packages that have a wheel for the version that is locked")  # noqa: T201
    print(" | ".join(["Python", "pip, this host", *(f"{platform:>14}" for platform in PLATFORMS)]))  # noqa: T201
    for python in sys.argv[1:]:
        try:
            print(row(python), flush=True)  # noqa: T201
        except subprocess.CalledProcessError:
            sys.exit(f"Python {python}: no wheel for a locked version; the message above names it")
    print(f"Built from source: {', '.join(SOURCE_ONLY)}")  # noqa: T201


if __name__ == "__main__":
    main()
