"""Turns what Label Studio refuses, or where it does not answer, into errors with a remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from label_studio_sdk.core.api_error import ApiError

from backend.errors import (
    LabelStudioError,
    LabelStudioRefused,
    LabelStudioRejected,
    LabelStudioUnreachable,
    ServiceUnreachable,
)

DELETION = "the deletion of "

TOKEN_PAGE = "Account & Settings → Personal Access Token"  # noqa: S105 - a page of Label Studio
"""Where Label Studio 1.23 shows a user's access token."""

LOCAL_ADDRESSES = "start it with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false in its environment"
"""How Label Studio is made to call addresses of this machine and of private networks."""

_KINDS: dict[int, type[LabelStudioError]] = {
    **dict.fromkeys((400, 404, 413, 422), LabelStudioRejected),
    **dict.fromkeys((429, 502, 503, 504), LabelStudioUnreachable),  # from Label Studio, or from a proxy before it
}


def unreachable(url: str, error: Exception, unused: Mapping[str, str]) -> LabelStudioUnreachable:
    """The error of a server that does not answer; ``unused`` are `Settings.unused_variables`."""
    return LabelStudioUnreachable(
        f"Label Studio at {url} does not answer ({error or type(error).__name__}): check that it runs and that "
        f"LABEL_STUDIO_URL is its address as seen from here{_hint(unused, 'LABEL_STUDIO_URL')}."
    )


def no_token(url: str, unused: Mapping[str, str]) -> LabelStudioRefused:
    return LabelStudioRefused(
        f"No access token for Label Studio at {url}: set LABEL_STUDIO_API_KEY "
        f"(in Label Studio: {TOKEN_PAGE}){_hint(unused, 'LABEL_STUDIO_API_KEY')}."
    )


def _hint(unused: Mapping[str, str], name: str) -> str:
    theirs = [variable for variable, ours in unused.items() if ours == name]
    return f"; {' and '.join(theirs)} {'are' if len(theirs) > 1 else 'is'} set, but not read here" if theirs else ""


def refusal(url: str, what: str, error: ApiError, *, service: str | None = None) -> LabelStudioError:
    """The error that an answer other than 2xx to a request for ``what`` means.

    ``service`` is the address in the request at which Label Studio was to call this service.
    """
    reason, status = _reason(error.body), error.status_code or 0
    if service is not None and (refused := _service_refusal(url, service, reason)):
        return refused
    if status == 401:
        return LabelStudioRefused(_token_refused(url, reason))
    if status == 403:
        return LabelStudioRefused(
            f"Label Studio at {url} does not let the owner of the access token use {what or 'this'} "
            f"(403: {reason[:200]}): set LABEL_STUDIO_API_KEY to the token of a user who may change the project."
        )
    if status == 405 and what.startswith(DELETION):
        return LabelStudioError(
            f"Label Studio at {url} has no way to delete {what.removeprefix(DELETION)} (it came with 1.12): those "
            "stored before would stay beside the new ones, so nothing was changed; update Label Studio to 1.12 or "
            "newer."
        )
    if status == 404 and re.fullmatch(r"project \d+", what):
        return LabelStudioRejected(
            f"Label Studio at {url} has no {what}, or the owner of the access token may not see it: "
            "check the number, which is in the project's address in Label Studio."
        )
    return _KINDS.get(status, LabelStudioError)(
        f"Label Studio at {url} answered {status or 'nothing readable'} for {what or 'a request'}: {reason[:300]}"
    )


def _token_refused(url: str, reason: str) -> str:
    refused = f"Label Studio at {url} refuses the access token (401: {reason[:200]})"
    if "legacy token" in reason:
        return (
            f"{refused}: set LABEL_STUDIO_API_KEY to a personal access token ({TOKEN_PAGE}), "
            "or allow legacy tokens on Label Studio's page Organization → API Tokens Settings."
        )
    return f"{refused}: set LABEL_STUDIO_API_KEY to a token that is valid there ({TOKEN_PAGE})."


# How Label Studio reaches this service


def _service_refusal(url: str, service: str, reason: str) -> LabelStudioError | None:
    """The error where Label Studio tried to call this service; ``None`` where the request failed for another reason."""
    if "reserved network address" in reason:
        return LabelStudioRefused(
            f"Label Studio at {url} does not call addresses of its own machine or of private networks, such as "
            f"{service}: {LOCAL_ADDRESSES}."
        )
    if "Can't resolve hostname" in reason:
        return _not_reached(url, service, "it does not know the host name")
    if tried := re.search(r"Can't connect to ML backend.*Additional info: (.*)", reason, re.DOTALL):
        return _not_reached(url, service, plain_reason(tried[1]))
    if tried := re.search(r"valid ML backend\. Reason: (.*?)\.?\s*Check the ML backend", reason, re.DOTALL):
        return setup_refused(service, tried[1])
    return None


def _not_reached(url: str, service: str, reason: str) -> ServiceUnreachable:
    return ServiceUnreachable(
        f"Label Studio at {url} cannot reach this service at {service} ({reason}): start `python -m backend serve`, "
        "or give the address at which Label Studio reaches it with `connect --url`."
    )


def setup_refused(service: str, reason: str) -> LabelStudioError:
    """The error of a service that Label Studio reaches and that does not accept its request ``/setup``."""
    if "401" in reason[:4]:
        return ServiceUnreachable(
            f"The service at {service} refuses the user name and password that Label Studio sends: run `connect` "
            "with the BASIC_AUTH_USER and BASIC_AUTH_PASS that `serve` has."
        )
    return ServiceUnreachable(
        f"The service at {service} does not accept Label Studio's request: {plain_reason(reason)}."
    )


_REASONS = {
    "Connection refused": "nothing listens there",
    "Name or service not known": "it does not know the host name",
    "Temporary failure in name resolution": "it does not know the host name",
    "No route to host": "there is no route to it",
    "timed out": "no answer within a second",
    "reserved network address": "it does not call local addresses",
    "404 Client Error": "something else answers there",
}


def plain_reason(reason: str) -> str:
    """The reason in the text of an error of Label Studio's HTTP library."""
    for part, words in _REASONS.items():
        if part in reason:
            return words
    sentence = re.sub(r"^\d+ (Client|Server) Error: ", "", " ".join(reason.split()))
    return re.sub(r" for url: \S+$", "", sentence).rstrip(".")[:300]


def _reason(body: Any) -> str:
    """What an answer says, in one line; a crash of Label Studio answers with a whole page of HTML."""
    if not isinstance(body, dict):
        return "no reason"
    return "; ".join(_texts(body.get("validation_errors") or body.get("detail") or body)) or "no reason"


def _texts(value: Any) -> Iterator[str]:
    """The texts in nested lists and objects, each with the name of its field."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            prefix = "" if name == "non_field_errors" else f"{name}: "
            yield from (f"{prefix}{text}" for text in _texts(inner))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    elif value is not None:
        yield str(value)
