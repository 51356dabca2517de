"""The learning curve of ``bench.train``: F1 by the number of labelled sentences, as text and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot

SIZES = (25, 50, 100, 250, 500, 1000, 2000)


def point_line(point: dict[str, Any]) -> str:
    ours, baseline = point["test_f1_mean"], point["baseline"]["test_f1_mean"]
    return (
        f"{point['sentences']:6,} sentences: test F1 {ours:.4f} in {point['seconds']:.0f} s; "
        f"baseline {baseline:.4f} in {point['baseline']['seconds']:.0f} s; {ours - baseline:+.4f}"
    )


def draw(points: Sequence[dict[str, Any]], file: Path) -> None:
    """Draw both curves into a file; its suffix is the format."""
    sizes = [point["sentences"] for point in points]
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(sizes, [point["test_f1_mean"] for point in points], marker="o", label="this project")
    axes.plot(sizes, [point["baseline"]["test_f1_mean"] for point in points], marker="s", ls="--", label="baseline")
    axes.set_xscale("log")
    axes.set_xticks(sizes, labels=[f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel="labelled sentences", ylabel="test F1", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    pyplot.close(figure)
