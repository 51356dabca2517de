"""Whether Label Studio answers, without its library: the web server asks before it starts its processes."""

from __future__ import annotations

import httpx

_SECONDS = 3.0


def why_silent(url: str) -> str | None:
    """Why nothing that is Label Studio answers at ``url``; ``None`` where it does."""
    try:
        answer = httpx.get(f"{url}/api/version", timeout=_SECONDS)
        release = answer.json().get("release") if answer.is_success else None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    except (ValueError, AttributeError):
        release = None
    return None if release else f"what answers there is not Label Studio: status {answer.status_code}"
