from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.errors import SettingsError
from backend.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # without a developer's .env


def test_defaults_work_without_any_variable() -> None:
    settings = load_settings()
    assert settings.label_studio_base == "http://localhost:8080"
    assert (settings.port, settings.start_training_each_n_updates) == (9090, 10)
    assert settings.basic_auth_user is None


def test_environment_wins_over_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PORT=1111\nWORKERS=3\nSOMETHING_ELSE=x\n")
    monkeypatch.setenv("PORT", "2222")
    settings = load_settings()
    assert (settings.port, settings.workers) == (2222, 3)


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "LEARNING_RATE", "BASIC_AUTH_USER", "BASIC_AUTH_PASS"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert settings.port == 9090
    assert settings.learning_rate is None
    assert settings.basic_auth_user is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "many"),
        ("PORT", "70000"),
        ("WORKERS", "0"),
        ("LABEL_STUDIO_URL", "label-studio"),
        ("START_TRAINING_EACH_N_UPDATES", "-1"),
        ("START_TRAINING_EACH_N_UPDATES", "2.5"),
        ("LEARNING_RATE", "0"),
        ("NUM_TRAIN_EPOCHS", "-3"),
        ("PROMOTION_TOLERANCE", "2"),
        ("RUN_ATTEMPTS", "0"),
        ("KEEP_VERSIONS", "-1"),
        ("ACCELERATE_CONFIG", "missing.yaml"),
        ("ACCELERATE_CONFIG", "/"),
        ("LOG_LEVEL", "LOUD"),
        ("DEVICE", "tpu"),
        ("PRECISION", "int4"),
    ],
)
def test_wrong_variable_is_named_in_one_line(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: .+") as caught:
        load_settings()
    assert "\n" not in str(caught.value)


def test_every_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "many")
    monkeypatch.setenv("WORKERS", "few")
    with pytest.raises(SettingsError, match=r"PORT: .+; WORKERS: "):
        load_settings()


def test_missing_accelerate_config_says_how_to_create_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_CONFIG", "gpus.yaml")
    with pytest.raises(
        SettingsError, match=r"no file gpus\.yaml: create it with `accelerate config --config_file gpus"
    ):
        load_settings()
    Path("gpus.yaml").touch()
    assert load_settings().accelerate_config == Path("gpus.yaml")


@pytest.mark.parametrize("name", ["BASIC_AUTH_USER", "BASIC_AUTH_PASS"])
def test_half_of_the_credentials_is_refused_without_showing_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "s3cret")
    with pytest.raises(SettingsError, match="BASIC_AUTH_USER and BASIC_AUTH_PASS") as caught:
        load_settings()
    assert "s3cret" not in str(caught.value)


def test_secrets_are_not_shown(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(label_studio_api_key="s3cret", basic_auth_user="lead", basic_auth_pass="s3cret")
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize("level", ["debug", "Info", "WARNING", "error"])
def test_log_level_is_accepted_in_any_case(level: str, make_settings: Callable[..., Settings]) -> None:
    assert make_settings(log_level=level).log_level == level.upper()


@pytest.mark.parametrize("url", ["http://studio:8085", "http://studio:8085/", "http://studio:8085//"])
def test_label_studio_url_loses_its_trailing_slash(url: str, make_settings: Callable[..., Settings]) -> None:
    assert make_settings(label_studio_url=url).label_studio_base == "http://studio:8085"


@pytest.mark.parametrize(
    ("hostname", "accepted"),
    [
        ("http://studio:8085", True),
        ("http://studio:8085/", True),
        ("http://studio:8085/label", True),
        ("https://studio:8085", False),
        ("http://studio:8086", False),
        ("http://studio", False),
        ("http://studio:8085@evil.example", False),
        ("http://evil.example/http://studio:8085", False),
        ("http://studio:8085.evil.example", False),
        ("http://[::1", False),
        ("studio:8085", False),
        ("", False),
        (None, False),
    ],
)
def test_only_the_configured_host_is_label_studio(
    hostname: str | None, accepted: bool, make_settings: Callable[..., Settings]
) -> None:
    assert make_settings(label_studio_url="http://studio:8085").is_label_studio(hostname) is accepted


def test_another_process_reads_the_same_settings(
    make_settings: Callable[..., Settings], child_environment: Callable[[Settings], dict[str, str]]
) -> None:
    settings = make_settings(
        label_studio_api_key="s3cret", learning_rate=1e-4, log_level="ERROR", basic_auth_user="u", basic_auth_pass="p"
    )
    script = "from backend.settings import load_settings; print(sorted(load_settings().environment().items()))"
    child = subprocess.run(
        [sys.executable, "-c", script], env=child_environment(settings), capture_output=True, text=True, check=True
    )
    assert child.stdout.strip() == str(sorted(settings.environment().items()))
    assert "WEIGHT_DECAY" in settings.environment()
    assert os.environ.get("LABEL_STUDIO_API_KEY") is None


def test_links_use_the_address_that_browsers_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://label-studio:8080/")
    assert load_settings(_env_file=None).label_studio_shown == "http://label-studio:8080"
    monkeypatch.setenv("LABEL_STUDIO_PUBLIC_URL", "https://labels.example.com/")
    settings = load_settings(_env_file=None)
    assert settings.label_studio_shown == "https://labels.example.com"
    assert settings.label_studio_base == "http://label-studio:8080"


@pytest.mark.parametrize(
    ("host", "public_url", "url"),
    [
        ("0.0.0.0", None, "http://localhost:9090/"),
        ("::", None, "http://localhost:9090/"),
        ("127.0.0.1", None, "http://localhost:9090/"),
        ("10.0.0.5", None, "http://10.0.0.5:9090/"),
        ("10.0.0.5", "https://ner.example.com/a", "https://ner.example.com/a/"),
    ],
)
def test_links_to_the_dashboard(
    host: str, public_url: str | None, url: str, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(host=host, public_url=public_url)
    assert settings.dashboard_url == url
    assert settings.project_url("7.1") == f"{url}projects/7.1/"


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("10.0.0.5", False)],
)
def test_web_server_that_only_this_machine_reaches(
    host: str, is_local: bool, make_settings: Callable[..., Settings]
) -> None:
    assert make_settings(host=host).is_local is is_local


@pytest.mark.parametrize("name", ["LABEL_ISSUES", "SUSPECTS"])
def test_search_for_label_issues_is_switched_off_by_either_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().label_issues is True
    monkeypatch.setenv(name, "false")
    assert load_settings().label_issues is False


def test_new_name_wins_over_the_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUSPECTS", "false")
    monkeypatch.setenv("LABEL_ISSUES", "true")
    assert load_settings().label_issues is True


def test_child_process_reads_the_earlier_name_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUSPECTS", "false")
    for name, value in load_settings().environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SUSPECTS", "true")
    assert load_settings().label_issues is False


@pytest.mark.parametrize(
    ("variables", "unused"),
    [
        ({}, {}),
        ({"LABEL_STUDIO_HOST": "http://ls:8080"}, {"LABEL_STUDIO_HOST": "LABEL_STUDIO_URL"}),
        ({"LABEL_STUDIO_HOST": "http://ls:8080", "LABEL_STUDIO_URL": "http://localhost:8080"}, {}),
        ({"LABEL_STUDIO_ACCESS_TOKEN": "t"}, {"LABEL_STUDIO_ACCESS_TOKEN": "LABEL_STUDIO_API_KEY"}),
        ({"LABEL_STUDIO_API_TOKEN": "t"}, {"LABEL_STUDIO_API_TOKEN": "LABEL_STUDIO_API_KEY"}),
        ({"LABEL_STUDIO_API_TOKEN": "t", "LABEL_STUDIO_API_KEY": "t"}, {}),
        ({"LABEL_STUDIO_HOST": ""}, {}),
    ],
)
def test_variables_of_label_studio_ml_are_not_used(
    variables: dict[str, str], unused: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.unused_variables() == unused
    assert settings.label_studio_base == "http://localhost:8080"
