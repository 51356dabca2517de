"""Sends requests as Label Studio does: one with many tasks, or many with one task from several clients at a time."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import cycle, islice
from typing import Any, TypeVar

Figures = dict[str, float]
Item = TypeVar("Item")

_TIMEOUT_SECONDS = 600


class Client:
    """One connection, kept open between requests for as long as the server keeps it open."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)

    def post(self, body: bytes) -> tuple[float, bytes]:
        """Send a body to /predict; returns the seconds until the whole answer has arrived, and the answer."""
        began = time.perf_counter()
        self._connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"/predict answered {answer.status}: {content[:300]!r}")
        return time.perf_counter() - began, content

    def close(self) -> None:
        self._connection.close()


def request_body(texts: Sequence[str], *, project: str, label_config: str) -> bytes:
    tasks = [{"id": number, "data": {"text": text}} for number, text in enumerate(texts, start=1)]
    return json.dumps({"tasks": tasks, "project": project, "label_config": label_config}).encode()


def one_request(port: int, body: bytes) -> tuple[float, list[dict[str, Any]]]:
    """Send one request; returns its seconds and its results."""
    client = Client(port)
    seconds, content = client.post(body)
    client.close()
    results: list[dict[str, Any]] = json.loads(content)["results"]
    return seconds, results


class Singles:
    """Clients that each send one body after the other while in `sending`; ``waits`` are the response times in seconds.

    ``pause`` is the time between two requests of a client. With ``reconnect`` every request uses a new connection, so
    that no client always reaches the same process of the server.
    """

    def __init__(
        self, port: int, bodies: list[bytes], *, clients: int, pause: float = 0, reconnect: bool = False
    ) -> None:
        self.waits: list[float] = []
        self._port, self._pause, self._reconnect = port, pause, reconnect
        self._stopped = threading.Event()
        self._failures: list[BaseException] = []
        self._threads = [
            # Clients start at different texts.
            threading.Thread(target=self._send, args=(bodies[(number * 7) % len(bodies) :] + bodies,), daemon=True)
            for number in range(clients)
        ]

    def _send(self, bodies: Sequence[bytes]) -> None:
        client = Client(self._port)
        try:
            for body in cycle(bodies):
                if self._stopped.is_set():
                    return
                self.waits.append(client.post(body)[0])
                if self._reconnect:
                    client.close()
                if self._pause:
                    self._stopped.wait(self._pause)
        except BaseException as error:
            self._failures.append(error)
        finally:
            client.close()

    @contextmanager
    def sending(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in self._threads:
                thread.join()
        if self._failures:
            raise SystemExit(f"A client failed: {self._failures[0]!r}")


def singles(port: int, bodies: list[bytes], *, clients: int, seconds: float) -> tuple[list[float], float]:
    """The response times of single tasks from several clients, in seconds, and the exact time they were sent for."""
    load = Singles(port, bodies, clients=clients)
    began = time.perf_counter()
    with load.sending():
        time.sleep(seconds)
    return load.waits, time.perf_counter() - began


def latencies(waits: Sequence[float]) -> Figures:
    return {"p50_ms": 1000 * percentile(waits, 50), "p95_ms": 1000 * percentile(waits, 95), "requests": len(waits)}


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that ``percent`` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else math.nan


def repeated(items: Sequence[Item], number: int) -> list[Item]:
    """``number`` items: the given ones, repeated as often as needed."""
    return list(islice(cycle(items), number))
