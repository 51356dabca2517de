"""Asks pip whether everything locked has wheels for the Pythons named: `make resolve`.

pip resolves requirements*.txt for each Python, with the locked versions as constraints, from wheels alone. It installs
nothing and reads no more of a wheel than its metadata. The answer holds for the machine's own platform.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-cuda.lock")

# Published as source only, in plain Python: pip builds it anywhere.
SOURCE_ONLY = ("seqeval",)


def pins(*names: str) -> list[str]:
    """`name==version ; marker` of every package, without what is published as source only."""
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in names)
    lines = re.findall(r"^[A-Za-z0-9][^\\\n]*", text, flags=re.MULTILINE)
    return [line.strip() for line in lines if line.partition("==")[0].partition("[")[0] not in SOURCE_ONLY]


def resolved(python: str) -> list[str]:
    """`name==version` of all that pip would install on this Python; pip's own message and exit if it finds no way."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, constraints, report = (Path(folder, name) for name in ("wanted.txt", "constraints.txt", "report.json"))
        wanted.write_text("\n".join(pins("requirements.txt", "requirements-dev.txt")), encoding="utf-8")
        constraints.write_text("\n".join(pins(*LOCKS)), encoding="utf-8")
        command: list[str | Path] = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "-qq"]
        command += ["--only-binary=:all:", "--python-version", python, "--target", Path(folder, "target")]
        # Reads the metadata alone also where the index does not serve it apart from the wheel.
        command += ["--use-feature=fast-deps"]
        command += ["-r", wanted, "-c", constraints, "--report", report]
        subprocess.run(command, check=True)
        installed = json.loads(report.read_text(encoding="utf-8"))["install"]
    return [f"{item['metadata']['name']}=={item['metadata']['version']}" for item in installed]


def main() -> None:
    print("Python  packages with wheels")  # noqa: T201
    for python in sys.argv[1:]:
        try:
            print(f"{python:<6}  {len(resolved(python))}", flush=True)  # noqa: T201
        except subprocess.CalledProcessError:
            sys.exit(f"{python}: pip finds no wheels for the locked versions; its message is above")
    print(f"Built from source: {', '.join(SOURCE_ONLY)}")  # noqa: T201


if __name__ == "__main__":
    main()
