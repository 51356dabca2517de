"""How values travel to and from Label Studio's API, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from label_studio_sdk.core.api_error import ApiError

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioRejected, LabelStudioUnreachable


def rows(dicts: Iterable[Mapping[str, Any]]) -> Any:
    # The SDK takes plain dictionaries where its types name classes.
    return [dict(row) for row in dicts]


def names(joined: Any) -> frozenset[str]:
    # "a,b" from SQLite; "a, b", or a list, from PostgreSQL.
    return frozenset(name.strip() for name in joined.split(",")) if isinstance(joined, str) else frozenset(joined or ())


def task_filter(column: str, operator: str, kind: str, value: Any) -> dict[str, Any]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


_KINDS: dict[int, type[LabelStudioError]] = {
    **dict.fromkeys((400, 404, 413, 422), LabelStudioRejected),
    **dict.fromkeys((429, 502, 503, 504), LabelStudioUnreachable),  # it, or a proxy for it
}


def refusal(url: str, what: str, error: ApiError) -> LabelStudioError:
    body: Any = error.body
    # A crash of Label Studio answers with a whole page of HTML.
    detail = body.get("validation_errors") or body.get("detail") or body if isinstance(body, dict) else "no reason"
    if error.status_code in (401, 403):
        return LabelStudioRefused(
            f"Label Studio at {url} refuses the access token ({error.status_code}: {str(detail)[:200]}): "
            "set LABEL_STUDIO_API_KEY to a token that may open this project."
        )
    kind = _KINDS.get(error.status_code or 0, LabelStudioError)
    return kind(f"Label Studio at {url} answered {error.status_code} for {what or 'a request'}: {str(detail)[:300]}")
