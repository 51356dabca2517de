"""Label Studio export → CoNLL-2003: this project's converter beside ``label_studio_sdk.converter``.

    python -m bench.convert [--tasks 100000] [--full] [--data FOLDER] [--json]

Both convert the same export, made from the corpus, in processes of their own, taking turns. ``--full`` also measures
ours on 1,000,000 tasks: its memory must not grow with the number of tasks.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.corpus import DEFAULT, sentences, write_export
from bench.memory import Peak, watched
from label_config import template

THEIRS = """
import sys
from label_studio_sdk.converter import Converter
export, config, folder = sys.argv[1:]
Converter(open(config).read(), project_dir=None, download_resources=False).convert_to_conll2003(
    export, folder, is_dir=False)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3, help="how often each side converts; the fastest counts")
    parser.add_argument("--full", action="store_true", help="measure ours on 1,000,000 tasks too")
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = compare(options, Path(folder))
    print(f"{'':34}{'tokens/s':>12}{'seconds':>10}{'peak MB':>10}")
    for name in ("ours", "baseline", "ours_1000000"):
        if name in report:
            figures = report[name]
            print(f"{name:34}{figures['tokens_per_s']:12,.0f}{figures['seconds']:10.1f}{figures['peak_mb']:10.0f}")
    print(f"ours ÷ baseline, tokens per second: {report['ratio_tokens_per_s']:.1f}")
    if options.json:
        print(json.dumps({"bench": "convert", **report}))


def compare(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    corpus = sentences(options.data / "train.bio")
    export, config = folder / "export.json", folder / "config.xml"
    config.write_text(template("restaurant"))
    words = write_export(corpus, options.tasks, export)
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    for _ in range(options.rounds):
        ours.append(measure(our_command(export, config, folder), words))
        theirs.append(measure([sys.executable, "-c", THEIRS, str(export), str(config), str(folder / "theirs")], words))
    report: dict[str, Any] = {"tasks": options.tasks, "tokens": words, "ours": best(ours), "baseline": best(theirs)}
    report["ratio_tokens_per_s"] = report["ours"]["tokens_per_s"] / report["baseline"]["tokens_per_s"]
    if options.full:
        words = write_export(corpus, 1_000_000, export)
        report["ours_1000000"] = measure(our_command(export, config, folder), words)
    return report


def our_command(export: Path, config: Path, folder: Path) -> list[str]:
    command = [sys.executable, "-m", "converters", "label-studio-to-conll", str(export), str(folder / "ours.conll")]
    return [*command, "--config", str(config)]


def measure(command: list[str], words: int) -> dict[str, float]:
    """Run a command; returns its wall time, and the peak memory of it and its processes."""
    began = time.perf_counter()
    peak = Peak()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    with watched(process.pid, peak):
        code = process.wait()
    seconds = time.perf_counter() - began
    if code:
        raise SystemExit(f"{' '.join(command[:6])} … ended with {code}")
    return {"tokens_per_s": words / seconds, "seconds": seconds, "peak_mb": peak.mb}


def best(rounds: list[dict[str, float]]) -> dict[str, float]:
    return max(rounds, key=lambda figures: figures["tokens_per_s"])


if __name__ == "__main__":
    main()
