"""Checks of one project: how Label Studio reaches this service, and what annotators are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backend.check.result import Outcome, Result, fault, note, ok, outcome_of
from backend.errors import LabelStudioError, ProjectReplaced, UnknownProject
from backend.label_studio.api import Backends, RemoteBackend, RemoteProject, RemoteWebhook
from backend.label_studio.card import TITLE_MARK
from backend.label_studio.connect import TITLE, authorization, credentials, webhook_url
from backend.loop import Loop
from backend.store.models import Project
from backend.store.phrases import PHRASES
from label_config import LabelConfig

_SAMPLE = "a cheap sushi bar near the station"


@dataclass(frozen=True, slots=True)
class ProjectCheck:
    """What is needed to check a connected project; ``backend`` is this service in Label Studio."""

    loop: Loop
    label_studio: Backends
    row: Project
    remote: RemoteProject
    backend: RemoteBackend
    others: list[RemoteBackend]

    @property
    def connect_again(self) -> str:
        return f"run `python -m backend connect --project {self.remote.id} --url {self.backend.url}`"

    @property
    def settings_page(self) -> str:
        return f"{self.loop.settings.label_studio_shown}/projects/{self.remote.id}/settings"

    def check_answers(self) -> Outcome:
        """Whether Label Studio reaches this service, and the one that has this database."""
        if not self.backend.answers:
            self.label_studio.test_backend(self.remote.id, self.backend)
            raise LabelStudioError(
                f"Label Studio did not reach this service at {self.backend.url} at first, and then it did: check again."
            )
        serving = self.loop.store.projects.serving(self.row.uid)
        if self.backend.model_version != serving:
            return fault(
                f"The service that Label Studio reaches at {self.backend.url} serves {self.backend.model_version}, but "
                f"{serving} serves by the database of this command: give both the same DATABASE_URL, or "
                f"{self.connect_again} with the right address."
            )
        return ok(f"Label Studio reaches it at {self.backend.url}")

    def check_webhook(self) -> Outcome:
        url = webhook_url(self.backend.url)
        hooks = [hook for hook in self.label_studio.webhooks(self.remote.id) if hook.url == url]
        if not hooks:
            return fault(f"Label Studio has no webhook to {url}, so new labels arrive late: {self.connect_again}.")
        if problem := self._webhook_problem(hooks[0]):
            return fault(f"The webhook to {url} {problem}: {self.connect_again}.")
        # Label Studio tests the address only when it saves a webhook.
        self.label_studio.save_webhook(self.remote.id, url, hooks[0].header)
        return ok(url)

    def _webhook_problem(self, hook: RemoteWebhook) -> str | None:
        expected = authorization(credentials(self.loop.settings))
        if not hook.is_active:
            return "is switched off, so new labels arrive late"
        if not hook.sends_all:
            return "does not send all events with their content, so new labels arrive late"
        if expected and hook.header is None:
            return "sends no user name and password, so this service refuses new labels"
        if expected and hook.header != expected:
            return "sends another user name or password than BASIC_AUTH_USER and BASIC_AUTH_PASS"
        return None

    def check_others(self) -> Outcome:
        if not self.others:
            return ok("none")
        in_the_way = [other for other in self.others if other.title == self.remote.model_version]
        names = " and ".join(f"“{other.title}” ({other.url}, id {other.id})" for other in in_the_way or self.others)
        remedy = f"remove it: {self.settings_page}/ml, menu “•••”, Delete"
        if in_the_way:
            return fault(
                f"Annotators see the predictions of the ML backend {names}, not those of this service: {remedy}."
            )
        return note(f"Label Studio also asks the ML backend {names} for predictions; if you do not need it, {remedy}.")

    def check_shown(self) -> Outcome:
        """Whether annotators see this service's predictions."""
        if not self.remote.shows_predictions:
            return fault(
                "Annotators do not see predictions: switch “Use predictions to prelabel tasks” on in "
                f"{self.settings_page}/annotation, or {self.connect_again}."
            )
        serving = self.row.current_version
        if serving is None:
            has_phrases = self.loop.store.projects.serving(self.row.uid) == PHRASES
            return ok("of phrases, until a version serves" if has_phrases else "none yet: there is no version")
        if self.remote.model_version != serving and not self._is_others(self.remote.model_version):
            reason = f" ({self.row.sync_error.rstrip('.')})" if self.row.sync_error else ""
            return fault(
                f"Annotators see the predictions of “{self.remote.model_version}”, not yet those of {serving}{reason}: "
                f"wait for the worker, or run `python -m backend preannotate --project {self.remote.id}`."
            )
        return ok(f"of {self.remote.model_version}")

    def _is_others(self, version: str) -> bool:
        return any(other.title == version for other in self.others)

    def check_order(self) -> Outcome:
        if self.remote.by_uncertainty:
            return ok("the least certain task comes first")
        return note(
            "Annotators do not get the task first that the model is least sure of: to switch Uncertainty sampling on, "
            f"{self.connect_again}."
        )

    def check_auto_annotation(self) -> Outcome:
        if self.backend.is_interactive:
            return ok()
        return note(
            f"Auto-Annotation gets no suggestions: {self.connect_again}, or switch “Interactive preannotations” on: "
            f"{self.settings_page}/ml, menu “•••”, Edit."
        )

    def check_version(self) -> Outcome:
        """Whether the version that serves can be opened and predicts."""
        if self.row.current_version is None:
            return ok("none yet")
        return ok(self.loop.predict(self.row.uid, [_SAMPLE]).version)


def check_project(loop: Loop, label_studio: Backends, number: int) -> Iterator[Result]:
    """Check a project; later checks are left out where one that they need has failed."""
    remote: list[RemoteProject] = []
    connected: list[ProjectCheck] = []

    def configuration() -> Outcome:
        project = label_studio.project(number)
        labels = LabelConfig.from_xml(project.label_config).labels
        remote.append(project)
        return ok(f"{project.title}, {len(labels)} {'label' if len(labels) == 1 else 'labels'}")

    def backend() -> Outcome:
        connected.append(_connected(loop, label_studio, remote[0]))
        return connected[0].check_answers()

    yield Result("labelling configuration", outcome_of(configuration), number)
    if not remote:
        return
    yield Result("ML backend", outcome_of(backend), number)
    if not connected:
        return
    checks: tuple[tuple[str, Callable[[], Outcome]], ...] = (
        ("webhook", connected[0].check_webhook),
        ("other ML backends", connected[0].check_others),
        ("model version", connected[0].check_version),
        ("predictions shown", connected[0].check_shown),
        ("task order", connected[0].check_order),
        ("Auto-Annotation", connected[0].check_auto_annotation),
    )
    for item, check in checks:
        yield Result(item, outcome_of(check), number)


def _connected(loop: Loop, label_studio: Backends, remote: RemoteProject) -> ProjectCheck:
    """Find this service among the project's ML backends; raises an error that says how to connect it."""
    uid = loop.find_uid(str(remote.id))
    row = loop.store.projects.find(uid) if uid else None
    if row and row.uid != remote.uid:
        raise ProjectReplaced(row.uid, remote.uid)
    backends = label_studio.backends(remote.id)
    serving = loop.store.projects.serving(remote.uid)
    backend = this_service(backends, serving=serving, port=loop.settings.port)
    if backend is None:
        raise LabelStudioError(
            f"This service is not an ML backend of project {remote.id} in Label Studio: run "
            f"`python -m backend connect --project {remote.id}`."
        )
    if row is None:
        # Label Studio has just called the service at that address, which then knows the project.
        if not backend.answers:
            label_studio.test_backend(remote.id, backend)
        raise UnknownProject(remote.uid)
    others = [other for other in backends if other.id != backend.id]
    return ProjectCheck(loop, label_studio, row, remote, backend, others)


def this_service(backends: list[RemoteBackend], *, serving: str, port: int) -> RemoteBackend | None:
    """The ML backend that is this service: it answered with the version that serves, or has the title of `connect`."""

    def rank(backend: RemoteBackend) -> tuple[bool, bool, bool]:
        return backend.model_version == serving, backend.url.endswith(f":{port}"), TITLE_MARK in backend.title

    ours = [
        backend
        for backend in backends
        if backend.model_version == serving
        or TITLE_MARK in backend.title
        or (backend.title == TITLE and backend.url.endswith(f":{port}"))
    ]
    return max(ours, key=rank, default=None)
