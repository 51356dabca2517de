"""Whether Label Studio answers, without its library: the web server asks before it starts its processes."""

from __future__ import annotations

import httpx

from backend.errors import LabelStudioUnreachable

_SECONDS = 3.0


def read_release(url: str) -> str:
    """The version of the Label Studio at ``url``; raises `LabelStudioUnreachable` where no Label Studio answers."""
    try:
        answer = httpx.get(f"{url}/api/version", timeout=_SECONDS)
        release = answer.json().get("release") if answer.is_success else None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise LabelStudioUnreachable(
            f"Label Studio at {url} does not answer ({error or type(error).__name__}): check that it runs and that "
            "LABEL_STUDIO_URL is its address as seen from here."
        ) from None
    except (ValueError, AttributeError):
        release = None
    if answer.status_code in (401, 403):
        raise LabelStudioUnreachable(
            f"What answers at {url} refuses /api/version (status {answer.status_code}), which Label Studio shows to "
            "everybody: set LABEL_STUDIO_URL to an address past the proxy or the login that protects it."
        )
    if not release:
        raise LabelStudioUnreachable(
            f"What answers at {url} is not Label Studio (status {answer.status_code} for /api/version): set "
            "LABEL_STUDIO_URL to its address as seen from here."
        )
    return str(release)
