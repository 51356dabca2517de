"""A server as Label Studio's own example makes one: ``transformers.pipeline("ner")`` behind gunicorn and Flask.

    python -m bench.baseline_server FOLDER PORT WORKERS THREADS

It calls the pipeline on the list of a request's texts, as that example does, and puts neighbouring pieces of one label
into one region. Where the example costs more than it must, this server spares it: the model is loaded once a process,
and nothing of ``label_studio_ml`` runs around it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from flask import Flask, Response, jsonify, request
from gunicorn.app.base import BaseApplication

from label_config import LabelConfig, LabelledText


class Server(BaseApplication):
    """gunicorn of the same shape as the product's: as many processes, as many threads."""

    def __init__(self, folder: str, *, port: int, workers: int, threads: int) -> None:
        self._folder = folder
        self._shape = {"bind": f"127.0.0.1:{port}", "workers": workers, "threads": threads}
        super().__init__()

    def load_config(self) -> None:
        same = {"worker_class": "gthread", "timeout": 600, "keepalive": 5, "loglevel": "warning"}
        for name, value in {**self._shape, **same, "control_socket_disable": True}.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app(self._folder)


def create_app(folder: str) -> Flask:
    from transformers import pipeline

    predictor = pipeline("token-classification", model=folder, tokenizer=folder)
    app = Flask(__name__)

    @app.get("/health")
    def health() -> Response:
        return jsonify(status="UP")

    @app.post("/predict")
    def predict() -> Response:
        body = request.get_json()
        config = LabelConfig.from_xml(body["label_config"])
        [text] = config.texts
        texts = [text.shown(task["data"]) or "" for task in body["tasks"]]
        return jsonify(results=[_prediction(pieces, text) for pieces in predictor(texts)])

    return app


def _prediction(pieces: Sequence[dict[str, Any]], text: LabelledText) -> dict[str, Any]:
    regions = []
    for label, group in groupby(pieces, key=lambda piece: piece["entity"].partition("-")[2]):
        together = list(group)
        control = text.control_of(label)
        regions.append(
            {
                "from_name": control.from_name if control else None,
                "to_name": text.name,
                "type": "labels",
                "value": {"start": together[0]["start"], "end": together[-1]["end"], "labels": [label]},
                "score": _mean(together),
            }
        )
    return {"result": regions, "score": _mean(regions), "model_version": "baseline"}


def _mean(scored: Sequence[dict[str, Any]]) -> float:
    return sum(float(one["score"]) for one in scored) / len(scored) if scored else 0.0


if __name__ == "__main__":
    folder, *numbers = sys.argv[1:]
    port, workers, threads = map(int, numbers)
    Server(folder, port=port, workers=workers, threads=threads).run()
