"""Writes the lock files from requirements*.txt: every package that is installed, with the hashes of its files.

`make lock` runs it. uv resolves once for all Pythons and platforms. What is locked keeps its version as long as it
satisfies requirements*.txt; `--upgrade` takes the newest instead. To install from the lock files, pip is enough.

torch has two builds. PyPI's asks for CUDA's libraries on Linux: they are in requirements-cuda.lock, which pip reads as
constraints, so that it installs them, and checks their hashes, only when torch asks for them. PyTorch's own CPU build
asks for none. It is not on PyPI; requirements-cpu.lock is for machines where pip is told of a place that has it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")

# pip 26.1 is the first that takes hashes from a constraints file.
PIP = "pip==26.3"

# SHA-256 of torch-VERSION+cpu-cp311-cp311-manylinux_2_28_x86_64.whl, which continuous integration installs.
TORCH_CPU = {"2.13.0": "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"}

CUDA_ONLY = re.compile(r"cuda-|nvidia-|triton==")


def resolve(requirements: str, *, locked: str, upgrade: bool = False, dependencies: bool = True) -> dict[str, str]:
    """The lines of each package that `requirements` (text) needs, by `name==version ; marker`."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "locked.txt")
        output.write_text(locked, encoding="utf-8")
        command: list[str | Path] = [UV, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
        # One version for all Pythons where there is one: what was tested on 3.11 runs on 3.13.
        command += ["--fork-strategy", "fewest"]
        command += ["--generate-hashes", "--no-emit-index-url", "--no-header", "--annotation-style", "line"]
        command += ["--upgrade"] if upgrade else []
        command += [] if dependencies else ["--no-deps"]
        subprocess.run([*command, "-", "--output-file", output], cwd=ROOT, input=requirements, text=True, check=True)
        return by_package(output.read_text(encoding="utf-8"))


def by_package(lock: str) -> dict[str, str]:
    starts = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)
    return {lines.partition(" \\\n")[0]: lines for lines in starts if lines[:1].isalnum()}


def cpu_build(packages: dict[str, str]) -> dict[str, str]:
    version = next(name for name in packages if name.startswith("torch==")).removeprefix("torch==")
    if version not in TORCH_CPU:
        sys.exit(f"tools/lock.py: add the hash of torch {version}'s CPU build to TORCH_CPU")
    name = f"torch=={version}+cpu"
    return {name: f"{name} \\\n    --hash=sha256:{TORCH_CPU[version]}\n"}


def read(*names: str) -> str:
    """Lines of packages in lock files that exist; not `-r`, `-c` and comments."""
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in names if (ROOT / name).exists()]
    return re.sub(r"^[-#].*\n", "", "".join(texts), flags=re.MULTILINE)


def write(name: str, packages: dict[str, str], *, first: str = "") -> None:
    text = f"# Written by `make lock`. Edit requirements*.txt instead.\n{first}{''.join(packages.values())}"
    (ROOT / name).write_text(text, encoding="utf-8")
    print(f"{name}: {len(packages)} packages")  # noqa: T201


def main() -> None:
    upgrade = "--upgrade" in sys.argv[1:]
    locked = read("requirements-dev.lock", "requirements.lock", "requirements-cuda.lock")
    everything = resolve("-r requirements-dev.txt", locked=locked, upgrade=upgrade)
    service = resolve("-r requirements.txt", locked="".join(everything.values()))
    cuda = {name: lines for name, lines in service.items() if CUDA_ONLY.match(name)}
    dev = {name: lines for name, lines in everything.items() if name not in service}
    service = {name: lines for name, lines in service.items() if name not in cuda}

    write("requirements-pip.lock", resolve(PIP, locked=""))
    write("requirements-cuda.lock", cuda)
    write("requirements-cpu.lock", cpu_build(service))
    write("requirements.lock", service, first="-c requirements-cuda.lock\n")
    write("requirements-dev.lock", dev, first="-r requirements.lock\n")

    locked = read("requirements-label-studio.lock")
    label_studio = resolve("-r requirements-label-studio.txt", locked=locked, upgrade=upgrade)
    write("requirements-label-studio.lock", label_studio)

    locked = read("requirements-label-studio-ml.lock")
    library = resolve("-r requirements-label-studio-ml.txt", locked=locked, upgrade=upgrade, dependencies=False)
    write("requirements-label-studio-ml.lock", library)


if __name__ == "__main__":
    main()
