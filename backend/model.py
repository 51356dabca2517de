"""This service as a model of the label-studio-ml library, for those who run `label-studio-ml start`.

Both generations of the library are served: 1.0.9 (PyPI), which makes a model from keywords, calls it for all projects
and starts a process for each event; and 2.x (GitHub), which makes one for each request with ``project_id`` and
``label_config``. Predictions, counting and training are those of `backend.loop`. docs/moving-over.md says how to start
it and what the library does not do.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from typing import Any

from backend.errors import InvalidRequest
from backend.loop import Loop
from backend.service import open_service
from backend.settings import load_settings
from backend.web.calls import predict_results, project_uid, take_event
from backend.web.messages import Predict, Webhook, validate

try:
    from label_studio_ml.model import LabelStudioMLBase
except ImportError as error:
    raise ImportError(
        f"backend/model.py needs the library label-studio-ml ({error}): "
        "`pip install --no-deps -r requirements-label-studio-ml.txt`; `python -m backend serve` works without it."
    ) from error

try:
    from label_studio_ml.response import ModelResponse
except ImportError:  # 1.0.9 takes a list
    ModelResponse = None

log = logging.getLogger(__name__)

_IS_1 = not hasattr(LabelStudioMLBase, "setup")


@cache
def _open_loop() -> Loop:
    """Opened at the first model, so that each process of a server that forks has connections of its own."""
    return open_service(load_settings()).loop


class DistilBERTNER(LabelStudioMLBase):
    """Named entities of a project's current version; labels that arrive are counted, and a worker trains on them."""

    def __init__(self, project_id: str | None = None, label_config: str | None = None, **kwargs: Any) -> None:
        """``project_id`` is the number of the project: only 2.x gives it; ``kwargs`` are those of 1.0.9."""
        if _IS_1:
            super().__init__(label_config=label_config, **kwargs)
            self.project_id = project_id or ""
            self.setup()
        else:
            super().__init__(project_id=project_id, label_config=label_config, **kwargs)

    def setup(self) -> None:
        """Tell 2.x, which stores what `/setup` answers, the version that serves."""
        if not _IS_1:
            self.set("model_version", self.model_version)

    @property
    def model_version(self) -> str:
        """The version that serves the project: ``untrained`` before the first label, and where no project is named."""
        loop = _open_loop()
        return loop.store.projects.serving(project_uid(loop, self._project()))

    def predict(
        self,
        tasks: Sequence[Any],
        context: dict[str, Any] | None = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> Any:
        """One prediction for each task, in order: a list of dictionaries for 1.0.9, a ``ModelResponse`` for 2.x.

        ``context`` is what an annotator has just drawn. ``kwargs`` are the login and password of the project's texts.
        """
        project = self._project(tasks)
        body = {"tasks": list(tasks), "project": project, "label_config": self._config(project)}
        call = validate(Predict, {**body, "params": {"context": context}})
        predictions = [prediction for part in predict_results(_open_loop(), call) for prediction in part]
        if ModelResponse is None:
            return predictions
        return ModelResponse(model_version=predictions[0]["model_version"], predictions=predictions)

    def fit(self, event: str, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:  # noqa: ARG002
        """Take the event of a webhook: ``data`` is its body; trains nothing itself.

        The answer says what was done, ``{"job": RUN}`` where a run is queued. A worker executes it (`backend work`).
        """
        if not isinstance(event, str):
            raise InvalidRequest(
                "The request to /train names no project in label-studio-ml 1.0.9: start training with "
                "`python -m backend train --project ID`."
            )
        loop = _open_loop()
        answer = take_event(loop, validate(Webhook, {**data, "action": event}))
        if not loop.store.leases.held("worker"):
            log.warning(
                "%s is stored, but no worker is running: start `python -m backend work` with the same settings.", event
            )
        return answer

    def process_event(self, event: str, data: dict[str, Any], job_id: str, additional_params: dict[str, Any]) -> Any:
        """Called by 1.0.9, for every event; its own would call `fit` with tasks, and leave START_TRAINING out."""
        return self.fit(event, data, job_id=job_id, **additional_params)

    def _project(self, tasks: Sequence[Any] = ()) -> str:
        """The number of the project: that of the model, else that in the tasks; empty where neither has one."""
        numbers = [task.get("project") for task in tasks[:1] if isinstance(task, dict)]
        names = (str(name) for name in (self.project_id, *numbers))
        return next((name for name in names if name.partition(".")[0].isdecimal()), "")

    def _config(self, project: str) -> str | None:
        """The labelling configuration: in 1.0.9 the stored one, since its own may be that of another project."""
        if _IS_1 and project:
            loop = _open_loop()
            stored = loop.store.projects.find(project_uid(loop, project))
            if stored is not None:
                return stored.label_config
        config: str | None = self.label_config
        return config
