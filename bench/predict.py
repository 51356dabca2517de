"""Predictions per second, latency and memory: this server beside ``transformers.pipeline("ner")``, as a user has it.

    python -m bench.predict [--full] [--tasks 1520] [--rounds 2] [--seconds 5] [--bulk 0] [--data FOLDER]
                            [--model FOLDER] [--json]

Both are gunicorn with the product's default processes and threads, and serve the same weights: the embedded encoder,
fine-tuned on the corpus by the product's own code (minutes, the first time; then kept). The product is measured with
its fp32 and with its int8 file. The sides take turns in every measurement; the load comes from the same machine.
``--full`` measures longer and also sends one request of 50,000 tasks while annotators request single ones.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.ceiling import ceiling, measure_rates
from bench.corpus import DEFAULT, sentences
from bench.corpus_model import CACHE, corpus_version, documents, labels_of, variant
from bench.load import Singles, latencies, one_request, repeated, request_body, singles
from bench.predict_table import CLIENTS, OURS, Figures, print_table
from bench.servers import UID, Server, baseline_server, our_server
from converters import Document
from label_config import generate

_FULL = {"rounds": 5, "seconds": 20.0, "bulk": 50_000}
_WARM_UP_SECONDS = 2.0
_BULK_CLIENTS = 2
_PAUSE_SECONDS = 0.1
_TURNS = 5


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are stopped then, too
    with tempfile.TemporaryDirectory() as folder:
        report = measure(options, Path(folder))
    print_table(report)
    if options.json:
        print(json.dumps({"bench": "predict", **report}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=1520, help="tasks of the large request")
    parser.add_argument("--rounds", type=int, default=2, help="large requests to each side; the fastest counts")
    parser.add_argument("--seconds", type=float, default=5, help="how long single tasks are sent, each time")
    parser.add_argument("--bulk", type=int, default=0, help="tasks of a request beside which single ones are timed")
    parser.add_argument("--full", action="store_true", help="the size that the documentation quotes")
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--model", type=Path, help="folder of a version to serve instead of training one")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where trained versions are kept")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    if options.full:
        vars(options).update(_FULL)
    return options


def measure(options: argparse.Namespace, folder: Path) -> Figures:
    """All figures of the report; the servers keep their state below ``folder``."""
    test = documents(sentences(options.data / "test.bio"))
    train = documents(sentences(options.data / "train.bio"))
    version = options.model or corpus_version(train, cache=options.cache)
    labels = labels_of(version)
    report: Figures = {"tasks": options.tasks, "fp32": None, "int8": None, "baseline": None}
    with ExitStack() as stack:
        servers = {}
        for name in OURS:
            served = variant(version, name, folder / f"{name}-version")
            if served:
                servers[name] = stack.enter_context(our_server(served, labels, folder / name))
        servers["baseline"] = stack.enter_context(baseline_server(version, folder / "baseline"))
        bench = Bench(servers, test, label_config=generate(labels))
        bench.warm_up(min(options.seconds, _WARM_UP_SECONDS))
        best, limit = bench.large_requests(options.tasks, options.rounds, version)
        concurrent = bench.single_tasks(options.seconds)
        for name, server in servers.items():
            one_client = {key: concurrent[name]["1"][key] for key in ("p50_ms", "p95_ms")}
            report[name] = best[name] | one_client | {"rss_mb": server.peak_mb, "concurrent": concurrent[name]}
        if options.bulk:
            report["bulk"] = {name: bench.bulk(name, options.bulk) for name in servers if name in OURS}
    report["ratios"] = ratios(report)
    report["ceiling"] = limit | {"fp32_share": report["fp32"]["tasks_per_s"] / limit["texts_per_s"]}
    report["same_tags"] = same_tags(folder / "fp32-version", options.data, everything=options.full)
    return report


class Bench:
    """The servers of all sides, and the texts of the corpus that are sent to them."""

    def __init__(self, servers: dict[str, Server], test: list[Document], *, label_config: str) -> None:
        self._servers = servers
        self._test = test
        self._label_config = label_config
        self._singles = [self._body([document.text]) for document in test]
        for server in servers.values():
            server.wait_until_up()

    def _body(self, texts: list[str]) -> bytes:
        return request_body(texts, project=UID, label_config=self._label_config)

    def warm_up(self, seconds: float) -> None:
        """Send each server requests from enough clients for all of its processes to open the model."""
        for server in self._servers.values():
            singles(server.port, self._singles, clients=max(CLIENTS), seconds=seconds)

    def large_requests(self, tasks: int, rounds: int, version: Path) -> tuple[dict[str, Figures], Figures]:
        """Tasks per second of one request, the best of each side; and the machine's ceiling in the same minutes."""
        documents = repeated(self._test, tasks)
        texts = [document.text for document in documents]
        body = self._body(texts)
        measured: dict[str, list[Figures]] = {name: [] for name in self._servers}
        rates = []
        for _ in range(rounds):
            for name, server in self._servers.items():
                rates.append(measure_rates(version))
                with server.watched():
                    seconds, results = one_request(server.port, body)
                measured[name].append({"tasks_per_s": tasks / seconds, "f1": f1(documents, results)})
        best = {
            name: max(all_figures, key=lambda figures: figures["tasks_per_s"]) for name, all_figures in measured.items()
        }
        return best, ceiling(version, texts, rates)

    def single_tasks(self, seconds: float) -> dict[str, dict[str, Figures]]:
        """Latency of requests with one task, by side and number of clients.

        The sides take short turns: a shared machine may be twice as fast in one minute as in the next.
        """
        measured: dict[str, dict[str, Figures]] = {name: {} for name in self._servers}
        for clients in CLIENTS:
            turns: dict[str, list[tuple[list[float], float]]] = {name: [] for name in self._servers}
            for name, server in list(self._servers.items()) * _TURNS:
                with server.watched():
                    turn = singles(server.port, self._singles, clients=clients, seconds=seconds / _TURNS)
                turns[name].append(turn)
            for name, own_turns in turns.items():
                measured[name][str(clients)] = summed(own_turns)
        return measured

    def bulk(self, name: str, tasks: int) -> Figures:
        """One very large request, and the latency of annotators' single tasks while it is answered."""
        server = self._servers[name]
        server.forget_peak()
        body = self._body([document.text for document in repeated(self._test, tasks)])
        annotators = Singles(
            server.port, self._singles, clients=_BULK_CLIENTS, pause=_PAUSE_SECONDS, reconnect=True
        )  # fmt: skip
        with server.watched(), annotators.sending():
            seconds, results = one_request(server.port, body)
        figures = {"tasks": len(results), "seconds": seconds, "tasks_per_s": tasks / seconds, "rss_mb": server.peak_mb}
        return figures | {"single": latencies(annotators.waits)}


def summed(turns: Sequence[tuple[list[float], float]]) -> Figures:
    """Latency and throughput of all turns together."""
    waits = [wait for turn, _ in turns for wait in turn]
    return latencies(waits) | {"tasks_per_s": len(waits) / sum(seconds for _, seconds in turns)}


def f1(documents: list[Document], results: list[Figures]) -> float:
    """Strict entity F1 of a server's predictions: boundaries and label must be exactly right."""
    correct = predicted_entities = gold_entities = 0
    for document, result in zip(documents, results, strict=True):
        values = [region["value"] for region in result["result"]]
        predicted = {(value["start"], value["end"], value["labels"][0]) for value in values}
        gold = {(span.start, span.end, span.label) for span in document.spans}
        correct += len(predicted & gold)
        predicted_entities += len(predicted)
        gold_entities += len(gold)
    total = predicted_entities + gold_entities
    return 2 * correct / total if total else 1.0


def ratios(report: Figures) -> Figures:
    """Ours ÷ baseline; latency and memory are those of the file that the product would serve, int8 if published."""
    baseline, served = report["baseline"], report["int8"] or report["fp32"]
    rates: Figures = {
        f"{name}_tasks_per_s": report[name] and report[name]["tasks_per_s"] / baseline["tasks_per_s"] for name in OURS
    }
    return rates | {"p95": served["p95_ms"] / baseline["p95_ms"], "rss": served["rss_mb"] / baseline["rss_mb"]}


def same_tags(version: Path, data: Path, *, everything: bool) -> Figures:
    """Share of the corpus's words that torch and the served fp32 file tag the same; computed in another process."""
    files = [data / f"{part}.bio" for part in (("train", "valid", "test") if everything else ("test",))]
    command = [sys.executable, "-m", "bench.same_tags", str(version), *map(str, files)]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode:
        raise SystemExit("The comparison with torch failed: see its output above.")
    figures: Figures = json.loads(process.stdout)
    return figures


if __name__ == "__main__":
    main()
