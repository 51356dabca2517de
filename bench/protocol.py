"""How fast Label Studio's small requests are answered while a training run uses every core.

    python -m bench.protocol [--seconds 20] [--clients 4] [--json]

The real web server (gunicorn, two processes) is called on an idle machine, then again while a process fine-tunes the
embedded encoder exactly as a run does. Label Studio allows 1 s for /health and /webhook and 3 s for /setup.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from backend.demo.processes import Processes
from backend.settings import load_settings
from backend.training.acceleration.environment import training_environment
from label_config import template

PROJECT = {"id": 1, "created_at": "2026-01-01T00:00:00Z"}
UID = "1.1767225600"

BODIES: dict[str, Any] = {
    "/health": None,
    "/setup": {"project": UID, "schema": template("restaurant"), "hostname": "", "access_token": ""},
    "/webhook": {"action": "ANNOTATION_CREATED", "project": PROJECT, "annotation": {"id": 1, "task": 1}},
}

# The work of a training run at the same priority, but without a Label Studio to fetch documents from.
TRAINING = """
import os, sys, tempfile
from pathlib import Path
os.nice(10)
from backend.demo.samples import load_samples
from backend.training.build import build_version
from backend.recipe import Recipe
from label_config import LabelConfig, template
labels = LabelConfig.from_xml(template("restaurant")).labels
def progress(phase, fraction):
    if phase == "training" and fraction > 0:
        Path(sys.argv[1]).touch()
while True:
    with tempfile.TemporaryDirectory() as folder:
        build_version(load_samples().labelled, labels=labels, name="ner-v1", recipe=Recipe(base="embedded", epochs=100),
                      folder=Path(folder) / "version", progress=progress)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="how long each measurement takes")
    parser.add_argument("--clients", type=int, default=4, help="concurrent clients")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder), seconds=options.seconds, clients=options.clients)
    print(f"{'':14}{'idle':>28}{'while training':>28}")
    print(f"{'call':14}{'p50 ms':>12}{'p95 ms':>8}{'max ms':>8}{'p50 ms':>12}{'p95 ms':>8}{'max ms':>8}")
    for path in BODIES:
        cells = "".join(
            f"{figures['p50_ms']:12.1f}{figures['p95_ms']:8.1f}{figures['max_ms']:8.1f}"
            for figures in (report["idle"][path], report["training"][path])
        )
        print(f"{path:14}{cells}")
    if options.json:
        print(json.dumps({"bench": "protocol", **report}))


def measure(folder: Path, *, seconds: float, clients: int) -> dict[str, Any]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = load_settings(
        _env_file=None,
        host="127.0.0.1",
        port=port,
        workers=2,
        model_dir=folder / "models",
        database_url=f"sqlite:///{folder / 'backend.sqlite3'}",
        log_level="WARNING",
    )
    url = f"http://127.0.0.1:{port}"
    started = folder / "training-started"
    with Processes(folder / "logs") as processes:
        processes.start("serve", [sys.executable, "-m", "backend", "serve"], settings.environment())
        processes.wait_for(f"{url}/health", name="serve", seconds=60, tick=lambda _: None)
        idle = latencies(url, seconds=seconds, clients=clients)
        processes.start("training", [sys.executable, "-c", TRAINING, str(started)], training_environment())
        while not started.exists():
            processes.check()
            time.sleep(0.2)
        training = latencies(url, seconds=seconds, clients=clients)
        processes.check()
    return {"clients": clients, "seconds": seconds, "idle": idle, "training": training}


def latencies(url: str, *, seconds: float, clients: int) -> dict[str, Mapping[str, float]]:
    """Call every path in turn from several clients; 50 ms between two calls of a client."""
    waits: dict[str, list[float]] = {path: [] for path in BODIES}
    deadline = time.monotonic() + seconds

    def call() -> None:
        with httpx.Client(base_url=url, timeout=30) as client:
            while time.monotonic() < deadline:
                for path, body in BODIES.items():
                    began = time.perf_counter()
                    client.request("POST" if body else "GET", path, json=body).raise_for_status()
                    waits[path].append(1000 * (time.perf_counter() - began))
                    time.sleep(0.05)

    threads = [threading.Thread(target=call) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {path: summary(times) for path, times in waits.items()}


def summary(times: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(times, n=100)
    return {"calls": len(times), "p50_ms": cuts[49], "p95_ms": cuts[94], "max_ms": max(times)}


if __name__ == "__main__":
    main()
