"""What Label Studio 1.23.2 answered, and what the user is told."""

from __future__ import annotations

from typing import Any

import pytest
from label_studio_sdk.core.api_error import ApiError

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioRejected, ServiceUnreachable
from backend.label_studio.refusals import refusal

URL = "http://studio:8080"
SERVICE = "http://ner:9090"
TOKEN = "Account & Settings → Personal Access Token"


def validation_error(text: str) -> dict[str, Any]:
    return {"detail": "Validation error", "validation_errors": {"non_field_errors": [text]}}


def health_failed(reason: str) -> dict[str, Any]:
    return validation_error(
        f"Can't connect to ML backend {SERVICE}, health check failed. Make sure it is up and your firewall is properly "
        'configured. <a href="https://labelstud.io/guide/ml.html">Learn more</a> about how to set up an ML backend. '
        f"Additional info: {reason}"
    )


def setup_failed(reason: str) -> dict[str, Any]:
    return validation_error(
        f"Successfully connected to {SERVICE} but it doesn't look like a valid ML backend. Reason: {reason}.\n"
        "Check the ML backend server console logs to check the status.There might be something wrong with your model "
        "or it might be incompatible with the current labeling configuration."
    )


@pytest.mark.parametrize(
    ("status", "body", "kind", "sentence"),
    [
        (
            403,
            {"detail": "URL resolves to a reserved network address (block: 127.0.0.0/8)"},
            LabelStudioRefused,
            f"Label Studio at {URL} does not call addresses of its own machine or of private networks, such as "
            f"{SERVICE}: start it with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false in its environment.",
        ),
        (
            400,
            health_failed("HTTPConnectionPool(host='ner', port=9090): … [Errno 111] Connection refused\"))"),
            ServiceUnreachable,
            f"Label Studio at {URL} cannot reach this service at {SERVICE} (nothing listens there): start "
            "`python -m backend serve`, or give the address at which Label Studio reaches it with `connect --url`.",
        ),
        (
            500,
            {"detail": "Can't resolve hostname ner"},
            ServiceUnreachable,
            f"Label Studio at {URL} cannot reach this service at {SERVICE} (it does not know the host name): start "
            "`python -m backend serve`, or give the address at which Label Studio reaches it with `connect --url`.",
        ),
        (
            400,
            health_failed("404 Client Error: Not Found for url: http://ner:9090/health"),
            ServiceUnreachable,
            f"Label Studio at {URL} cannot reach this service at {SERVICE} (something else answers there): start "
            "`python -m backend serve`, or give the address at which Label Studio reaches it with `connect --url`.",
        ),
        (
            400,
            setup_failed(
                "401 Client Error: This service requires a user name and a password for url: http://ner/setup"
            ),
            ServiceUnreachable,
            f"The service at {SERVICE} refuses the user name and password that Label Studio sends: run `connect` with "
            "the BASIC_AUTH_USER and BASIC_AUTH_PASS that `serve` has.",
        ),
        (
            400,
            setup_failed("400 Client Error: The labelling configuration has no Labels for url: http://ner:9090/setup"),
            ServiceUnreachable,
            f"The service at {SERVICE} does not accept Label Studio's request: The labelling configuration has no "
            "Labels.",
        ),
        (
            401,
            {"detail": "Invalid token."},
            LabelStudioRefused,
            f"Label Studio at {URL} refuses the access token (401: Invalid token.): set LABEL_STUDIO_API_KEY to a "
            f"token that is valid there ({TOKEN}).",
        ),
        (
            401,
            {
                "detail": "Authentication token no longer valid: legacy token authentication has been disabled for "
                "this organization"
            },
            LabelStudioRefused,
            f"Label Studio at {URL} refuses the access token (401: Authentication token no longer valid: legacy token "
            "authentication has been disabled for this organization): set LABEL_STUDIO_API_KEY to a personal access "
            f"token ({TOKEN}), or allow legacy tokens on Label Studio's page Organization → API Tokens Settings.",
        ),
        (
            403,
            {"detail": "You do not have permission to perform this action."},
            LabelStudioRefused,
            f"Label Studio at {URL} does not let the owner of the access token use the ML backend of project 7 (403: "
            "You do not have permission to perform this action.): set LABEL_STUDIO_API_KEY to the token of a user who "
            "may change the project.",
        ),
        (
            400,
            {"detail": "Validation error", "validation_errors": {"title": ["It is too long.", "It is odd."]}},
            LabelStudioRejected,
            f"Label Studio at {URL} answered 400 for the ML backend of project 7: title: It is too long.; title: It is "
            "odd.",
        ),
        (
            500,
            "<html>…</html>",
            LabelStudioError,
            f"Label Studio at {URL} answered 500 for the ML backend of project 7: no reason",
        ),
    ],
)
def test_refusal_says_what_was_refused_and_what_helps(
    status: int, body: Any, kind: type[LabelStudioError], sentence: str
) -> None:
    error = refusal(URL, "the ML backend of project 7", ApiError(status_code=status, body=body), service=SERVICE)
    assert (type(error), str(error)) == (kind, sentence)


def test_project_that_does_not_exist() -> None:
    error = refusal(URL, "project 99", ApiError(status_code=404, body={"detail": "No Project matches"}))
    assert str(error) == (
        f"Label Studio at {URL} has no project 99, or the owner of the access token may not see it: check the number, "
        "which is in the project's address in Label Studio."
    )
