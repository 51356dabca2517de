"""``serve`` and ``work``, the two processes of the service."""

from __future__ import annotations

import errno
import logging
import os
import socket

import click

from backend.errors import LabelStudioUnreachable, SettingsError
from backend.settings import Settings

log = logging.getLogger(__name__)


@click.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Answer Label Studio's requests on PORT (default 9090) until stopped."""
    _require_free_port(settings)
    _require_database(settings)
    _log_unused_variables(settings)
    log.info("the dashboard is at %s", settings.dashboard_url)
    _log_label_studio(settings)
    if settings.basic_auth_user is None and not settings.is_local:
        log.warning(
            "everybody who can reach port %s can use this service: set BASIC_AUTH_USER and BASIC_AUTH_PASS, or "
            "HOST=127.0.0.1",
            settings.port,
        )
    from backend.web.server import serve as run_server

    run_server(settings)


@click.command()
@click.pass_obj
def work(settings: Settings) -> None:
    """Train models and send their predictions to Label Studio until stopped."""
    _require_database(settings)
    _log_unused_variables(settings)
    log.info("the dashboard is at %s while `serve` runs", settings.dashboard_url)
    _log_label_studio(settings)
    from backend.worker import work as run_worker

    run_worker(settings)


def _require_database(settings: Settings) -> None:
    """Raise `SettingsError` where DATABASE_URL is not usable: once, and not in every process of the web server."""
    from backend.store import Store

    Store(settings.database_url).close()


def _log_unused_variables(settings: Settings) -> None:
    for theirs, ours in settings.unused_variables().items():
        log.warning("%s is set, but this service reads %s, which is not set", theirs, ours)


def _log_label_studio(settings: Settings) -> None:
    """Say whether Label Studio answers; the web server must not load Label Studio's library before it forks."""
    from backend.label_studio.answering import read_release

    try:
        log.info("Label Studio %s answers at %s", read_release(settings.label_studio_base), settings.label_studio_base)
    except LabelStudioUnreachable as error:
        log.warning("%s", str(error).rstrip("."))
    if settings.label_studio_api_key is None:
        log.warning(
            "LABEL_STUDIO_API_KEY is not set: set it to an access token of Label Studio (Account & Settings → Personal "
            "Access Token), since new versions of Label Studio refuse this service without it"
        )


def _require_free_port(settings: Settings) -> None:
    """Raise `SettingsError` where the web server cannot listen; gunicorn itself tries for five seconds."""
    try:
        [(family, kind, _, _, address), *_] = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise SettingsError(_port_problem(settings, error)) from None


def _port_problem(settings: Settings, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {settings.port} is taken by another process on this machine: end that process, or set PORT to "
            "another number."
        )
    if error.errno == errno.EACCES:
        return f"Port {settings.port} may be used by root only: set PORT to a number above 1023."
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    return (
        f"The web server cannot listen at HOST={settings.host} ({reason}): set HOST to an address of this machine, "
        "or to 0.0.0.0 for all of them."
    )
