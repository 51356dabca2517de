"""label-studio-ml 2.x as `backend.model` sees it: the order of calls of its server, its base class and its answer.

2.x is on GitHub only. This stand-in follows ``label_studio_ml/api.py``, ``model.py`` and ``response.py`` of
HumanSignal/label-studio-ml-backend: a model is made for each request with the number of the project; `/setup` answers
what the model has stored as ``model_version``; only four kinds of event reach ``fit``.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from flask import Flask, Response, jsonify, request
from label_studio_sdk.label_interface.interface import LabelInterface
from label_studio_sdk.label_interface.objects import PredictionValue
from pydantic import BaseModel, ConfigDict

EVENTS = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED", "START_TRAINING")


class ModelResponse(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    model_version: str | None = None
    predictions: list[list[PredictionValue] | PredictionValue]

    def fill_versions(self, default: object) -> None:
        self.model_version = self.model_version or (str(default) if default else None)
        for prediction in self.predictions:
            for value in prediction if isinstance(prediction, list) else [prediction]:
                value.model_version = value.model_version or self.model_version


class LabelStudioMLBase:
    stored: dict[tuple[str, str], Any]
    """The library's cache, of all projects; each server of a test has its own."""

    def __init__(self, project_id: str | None = None, label_config: str | None = None) -> None:
        self.project_id = project_id or ""
        if label_config is not None:
            self.use_label_config(label_config)
        if not self.model_version:
            self.set("model_version", "0.0.1")
        self.setup()

    def setup(self) -> None: ...

    def predict(self, tasks: list[Any], context: Any = None, **kwargs: Any) -> Any: ...

    def fit(self, event: str, data: dict[str, Any], **kwargs: Any) -> Any: ...

    def use_label_config(self, label_config: str) -> None:
        self.label_interface = LabelInterface(config=label_config)
        self.set("label_config", label_config)

    def get(self, key: str) -> Any:
        return self.stored.get((self.project_id, key))

    def set(self, key: str, value: Any) -> None:
        self.stored[self.project_id, key] = value

    @property
    def label_config(self) -> Any:
        return self.get("label_config")

    @property
    def model_version(self) -> Any:
        return self.get("model_version")

    def set_extra_params(self, extra_params: Any) -> None:
        self.set("extra_params", extra_params)

    def get_first_tag_occurence(self, control_type: str, object_type: str) -> tuple[str, str, str]:
        names: tuple[str, str, str] = self.label_interface.get_first_tag_occurence(control_type, object_type)
        return names


def init_app(model_class: type[Any]) -> Flask:
    if not issubclass(model_class, LabelStudioMLBase):
        raise ValueError("the model is not of this library")
    server = Flask("label_studio_ml")

    @server.post("/predict")
    def predict() -> Response:
        data = request.get_json()
        number = str(data.get("project")).split(".", 1)[0]
        params = data.get("params", {})
        context = params.pop("context", {})
        model = model_class(project_id=number, label_config=data.get("label_config"))
        answer = model.predict(data.get("tasks"), context=context, **params)
        if isinstance(answer, ModelResponse):
            answer.fill_versions(model.model_version)
            answer = answer.model_dump()
        return jsonify(results=answer.get("predictions", answer) if isinstance(answer, dict) else answer or [])

    @server.post("/setup")
    def setup() -> Response:
        data = request.get_json()
        model = model_class(project_id=data["project"].split(".", 1)[0], label_config=data.get("schema"))
        if data.get("extra_params"):
            model.set_extra_params(data["extra_params"])
        return jsonify(model_version=model.get("model_version"))

    @server.post("/webhook")
    def webhook() -> tuple[Response, int]:
        data = request.get_json()
        event = data.pop("action")
        if event not in EVENTS:
            return jsonify(status="Unknown event"), 200
        model = model_class(str(data["project"]["id"]), label_config=data["project"]["label_config"])
        return jsonify(result=model.fit(event, data), status="ok"), 201

    return server


def modules() -> dict[str, ModuleType]:
    """The modules of the library, by their names, as `sys.modules` has them."""
    LabelStudioMLBase.stored = {}
    names = ("label_studio_ml", "label_studio_ml.model", "label_studio_ml.response", "label_studio_ml.api")
    library = {name: ModuleType(name) for name in names}
    library["label_studio_ml.model"].__dict__["LabelStudioMLBase"] = LabelStudioMLBase
    library["label_studio_ml.response"].__dict__["ModelResponse"] = ModelResponse
    library["label_studio_ml.api"].__dict__["init_app"] = init_app
    return library
