"""Every environment variable this service reads, in one place; and the logging that LOG_LEVEL configures."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, AnyHttpUrl, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from backend.errors import SettingsError


class Settings(BaseSettings):
    """Configuration of one deployment; every field is the environment variable of the same name in capitals.

    A ``.env`` file in the working directory is read too; real environment variables win over it.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", env_ignore_empty=True, frozen=True, protected_namespaces=()
    )

    # Label Studio
    label_studio_url: AnyHttpUrl = Field(
        AnyHttpUrl("http://localhost:8080"), description="Address at which this service reaches Label Studio."
    )
    label_studio_public_url: AnyHttpUrl | None = Field(
        None, description="Address of Label Studio in people's browsers, if it differs from LABEL_STUDIO_URL."
    )
    label_studio_api_key: SecretStr | None = Field(
        None, description="Access token of a Label Studio user who may read and change the projects."
    )
    label_studio_host: str | None = Field(None, description="Name of LABEL_STUDIO_URL in label-studio-ml; not used.")
    label_studio_access_token: SecretStr | None = Field(
        None, description="Name of LABEL_STUDIO_API_KEY in label-studio-ml; not used."
    )
    label_studio_api_token: SecretStr | None = Field(
        None, description="Name of LABEL_STUDIO_API_KEY in some of label-studio-ml's examples; not used."
    )
    max_text_mb: float = Field(
        5.0, gt=0, description='Largest file, in MB, that is read as the text of a task (`<Text valueType="url">`).'
    )

    # Web server
    port: int = Field(9090, ge=0, le=65535, description="Port of the web server.")
    host: str = Field("0.0.0.0", description="Address the web server binds to.")  # noqa: S104
    public_url: AnyHttpUrl | None = Field(
        None, description="Address of this service in people's browsers, for links; by default http://localhost:PORT."
    )
    workers: int = Field(2, ge=1, description="Web server processes.")
    threads: int = Field(8, ge=1, description="Threads of each web server process.")
    basic_auth_user: str | None = Field(None, description="User name that every request needs, except to /health.")
    basic_auth_pass: SecretStr | None = Field(None, description="Password for BASIC_AUTH_USER.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")

    # State
    model_dir: Path = Field(Path("data/models"), description="Folder that holds the model versions.")
    database_url: str = Field(
        "sqlite:///data/backend.sqlite3", description="SQLAlchemy URL: SQLite, or postgresql+psycopg://…"
    )
    keep_versions: int = Field(
        10,
        ge=0,
        description="Newest versions of a project that keep their files, besides the current and pinned ones; 0: all.",
    )
    model_cache: int = Field(4, ge=1, description="Model versions that one web process keeps in memory.")

    # Serving
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="Where models predict: on a GPU (`cuda`), on the `cpu`, or on a GPU if there is one (`auto`).",
    )
    precision: Literal["auto", "fp32"] = Field(
        "auto",
        description="`fp32` never uses a version's int8 model; `auto` uses it where it was measured to be as good.",
    )

    keep_predictions: Literal["current", "all"] = Field(
        "current",
        description="Whose predictions stay in Label Studio after a sync: those of the `current` version and of pinned "
        "ones, or those of `all` versions.",
    )
    suggest: Literal["words", "model"] = Field(
        "words",
        description="What Auto-Annotation suggests when a region is drawn: the same `words` elsewhere in the text, or "
        "the regions of the `model` too, which bring back those that the annotator has deleted.",
    )

    # Training
    baseline_model_name: str = Field(
        "distilbert/distilbert-base-uncased",
        description="Encoder that a first version starts from: a Hugging Face name, a local folder, or `embedded`.",
    )
    initial_model_name: str | None = Field(
        None,
        description="Token classifier that serves a new project until the first run: a Hugging Face name or a local "
        "folder; `connect` imports it as `import-model` does.",
    )
    start_training_each_n_updates: int = Field(
        10, ge=0, description="Changed tasks that start a training run; 0: only the button and `train` start one."
    )
    min_tasks_to_start_training: int = Field(
        10, ge=0, description="Labelled tasks without which no run starts by itself; the button and `train` need none."
    )
    learning_rate: float | None = Field(
        None, gt=0, le=1, description="Peak learning rate; by default 5e-5, for small encoders (`embedded`) 5e-4."
    )
    num_train_epochs: float | None = Field(
        None, gt=0, description="Passes over the training documents; by default 3, more when they are few."
    )
    weight_decay: float = Field(0.01, ge=0, description="AdamW weight decay.")
    train_batch_size: int = Field(32, ge=1, le=4096, description="Training examples per optimiser step.")
    warm_start: bool = Field(
        True, description="Start training from the current version; false: always from the base model."
    )
    train_seed: int = Field(42, ge=0, description="Seed of every random choice in a training run.")
    promotion_tolerance: float = Field(
        0.005,
        ge=0,
        le=1,
        description="Loss of F1 on the held-out documents with which a new version is still promoted.",
    )
    max_lost_regions: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of the regions that a version may leave unused without a person's promotion.",
    )
    label_issues: bool = Field(
        True,
        validation_alias=AliasChoices("label_issues", "suspects"),
        description="Search for labels that are probably mistakes after each training run (earlier name: SUSPECTS).",
    )
    run_attempts: int = Field(3, ge=1, description="How often a training run is tried when its process dies.")
    accelerate_config: Path | None = Field(
        None,
        description="File written by `accelerate config`; training runs are then started with `accelerate launch`.",
    )

    @field_validator("log_level")
    @classmethod
    def _check_level(cls, value: str) -> str:
        if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("use DEBUG, INFO, WARNING or ERROR")
        return value.upper()

    @field_validator("accelerate_config")
    @classmethod
    def _check_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"there is no file {value}: create it with `accelerate config --config_file {value}`")
        return value

    @field_validator("device", "precision", "keep_predictions", "suggest", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_credentials(self) -> Settings:
        if (self.basic_auth_user is None) != (self.basic_auth_pass is None):
            raise ValueError("set both BASIC_AUTH_USER and BASIC_AUTH_PASS, or neither")
        return self

    @cached_property
    def label_studio_base(self) -> str:
        """``LABEL_STUDIO_URL`` without a trailing slash."""
        return str(self.label_studio_url).rstrip("/")

    @cached_property
    def label_studio_shown(self) -> str:
        """Label Studio's address for links that people open, without a trailing slash."""
        return str(self.label_studio_public_url or self.label_studio_url).rstrip("/")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the web server."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    @property
    def dashboard_url(self) -> str:
        """The dashboard's address in people's browsers, with a slash at its end."""
        return f"{str(self.public_url).rstrip('/')}/" if self.public_url else self.local_url

    @property
    def local_url(self) -> str:
        """The web server's address on this machine, with a slash at its end."""
        host = "localhost" if self.is_local or self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104
        return f"http://{host}:{self.port}/"

    def project_url(self, uid: str) -> str:
        """The address of a project's page in the dashboard."""
        return f"{self.dashboard_url}projects/{uid}/"

    def task_url(self, uid: str, task: str) -> str:
        """Where Label Studio shows a task of a project."""
        return f"{self.label_studio_shown}/projects/{uid.partition('.')[0]}/data?task={task}"

    def unused_variables(self) -> dict[str, str]:
        """Variables of label-studio-ml that are set, and the name here of each that is not set."""
        names = {
            "label_studio_host": "label_studio_url",
            "label_studio_access_token": "label_studio_api_key",
            "label_studio_api_token": "label_studio_api_key",
        }
        return {
            theirs.upper(): ours.upper()
            for theirs, ours in names.items()
            if getattr(self, theirs) and ours not in self.model_fields_set
        }

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, for a child process that needs the same ones."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in values.items()
            if value is not None
        }

    def is_label_studio(self, hostname: str | None) -> bool:
        """Whether an address that a request contains is the configured Label Studio's."""
        if not hostname:
            return False
        try:
            given, configured = urlsplit(hostname), urlsplit(self.label_studio_base)
        except ValueError:  # for instance half an IPv6 address
            return False
        return (given.scheme, given.netloc) == (configured.scheme, configured.netloc)


def load_settings(**overrides: object) -> Settings:
    """Read the environment; raises `SettingsError`, which names every variable that is wrong."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = (
            f"{'.'.join(str(part) for part in problem['loc']).upper() or 'settings'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise SettingsError("; ".join(lines)) from None


def configure_logging(level: str) -> None:
    """Log to standard error; libraries that log every request log warnings only, unless the level is DEBUG."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if level != "DEBUG":
        for chatty in ("httpx", "huey", "alembic"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
