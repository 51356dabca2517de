"""Downloads files that Label Studio serves."""

from __future__ import annotations

import time
from functools import lru_cache

import httpx

from backend.errors import LabelStudioRefused
from backend.label_studio.api import Download
from backend.label_studio.client import LabelStudio


class LabelStudioFiles:
    """Files of one Label Studio server; implements `backend.label_studio.api.Files`."""

    def __init__(self, label_studio: LabelStudio) -> None:
        self._label_studio = label_studio
        self._url = httpx.URL(label_studio.url)
        self._client = httpx.Client(follow_redirects=False, headers={"Accept-Encoding": "identity"})

    def download(self, path: str, *, authorised: bool, limit: int, seconds: float) -> Download | None:
        ends_at = time.monotonic() + seconds
        headers = {"Authorization": self._label_studio.authorization()} if authorised else {}
        url = self._url.copy_with(raw_path=path.encode("ascii"))
        try:
            with self._client.stream("GET", url, headers=headers, timeout=seconds) as answer:
                content = _content(answer, limit=limit, ends_at=ends_at)
        except httpx.ReadTimeout:
            return None
        except httpx.HTTPError as error:
            raise self._label_studio.unreachable(error) from None
        if authorised and answer.status_code == httpx.codes.UNAUTHORIZED:
            raise LabelStudioRefused(
                f"Label Studio at {self._label_studio.url} refuses the access token for its files: set "
                "LABEL_STUDIO_API_KEY to a token that may open this project."
            )
        location = answer.headers.get("Location") if answer.is_redirect else None
        return None if content is None else Download(answer.status_code, content, location)


def _content(answer: httpx.Response, *, limit: int, ends_at: float) -> bytes | None:
    """At most ``limit`` bytes and one; ``None`` where they take longer than until ``ends_at``."""
    content = bytearray()
    for part in answer.iter_bytes():
        content += part
        if time.monotonic() > ends_at:
            return None
        if len(content) > limit:
            break
    return bytes(content[: limit + 1])


@lru_cache(maxsize=16)
def files_of(label_studio: LabelStudio) -> LabelStudioFiles:
    # One connection pool a client, as `open_label_studio` makes one client a token.
    return LabelStudioFiles(label_studio)
