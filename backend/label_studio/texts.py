"""Texts that a task names by address (``<Text valueType="url">``), read from Label Studio's own host."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from backend.errors import BackendError, TextDelayed, TextUnavailable
from backend.label_studio.api import Download, Files
from backend.settings import Settings
from backend.store.models import Project
from converters import LoadText, TextNotLoaded
from label_config import LabelConfig

FILE_SECONDS = 10.0
"""Time that one text may take."""

REQUEST_SECONDS = 60.0
"""Time that all texts of one ``/predict`` request may take: Label Studio waits 100 s for its answer."""

CACHE_SECONDS = 300.0
"""How long a text is kept: files in Label Studio's local storage may change."""

CACHE_CHARACTERS = 32 * 1024 * 1024

_MAX_REDIRECTS = 3

_FOR_A_WHILE = (408, 425, 429)
"""Answers besides server errors after which the same request may succeed later: too slow, too early, too many."""

_DEFAULT_PORTS = {"http": 80, "https": 443}

# Label Studio serves files there to those who may open the project. The token is sent nowhere else: a task's address
# must not read other parts of the API with it.
_FILES = re.compile(r"/data/|/storage-data/|/(?:tasks|projects)/[0-9]+/(?:resolve|presign)/")

_REMEDY = "upload the file to Label Studio, or put the text itself into the task and remove the <Text> tag's valueType"


class TextLoader:
    """Reads texts by their address: ``loader("/data/upload/3/report.txt")``.

    Addresses are paths, or URLs whose scheme, host and port are those of ``LABEL_STUDIO_URL`` or
    ``LABEL_STUDIO_PUBLIC_URL``; the host that is asked is always that of ``LABEL_STUDIO_URL``. A call raises
    `TextUnavailable` for an address elsewhere and for a text that Label Studio does not give (`TextDelayed` if it may
    do so later), `LabelStudioUnreachable` and `LabelStudioRefused` where it answers no request at all. With
    ``total_seconds``, all texts together may take as long, from the first one on.
    """

    def __init__(
        self,
        settings: Settings,
        open_files: Callable[[], Files],
        *,
        total_seconds: float | None = None,
        cache: TextCache | None = None,
    ) -> None:
        self._open_files = open_files
        self._addresses = [urlsplit(settings.label_studio_base), urlsplit(settings.label_studio_shown)]
        self._host = settings.label_studio_base
        self._limit = round(settings.max_text_mb * 1_000_000)
        self._total_seconds = total_seconds
        self._ends_at: float | None = None
        self._cache = TextCache() if cache is None else cache

    def __call__(self, url: str) -> str:
        path = self._path(url, url)
        text = self._cache.get(path)
        if text is None:
            text = _decoded(self._read(url, path))
            self._cache.put(path, text)
        return text

    def _path(self, target: str, url: str) -> str:
        """Path and query at ``LABEL_STUDIO_URL`` of an address; ``url`` is what the task holds, for the error."""
        target = target.strip(" \t\r\n\f")
        parts = _split(target)
        if parts is None or not (_is_path(target) or _origin(parts) in map(_origin, self._addresses)):
            raise TextUnavailable(
                f"The text at {_shown(url)} is not read: texts are read from Label Studio's own host only "
                f"({self._hosts()}); {_REMEDY}."
            )
        if not _is_plain(parts.path):
            raise TextUnavailable(
                f"The text at {_shown(url)} is not read: its path holds `..`, `//` or a backslash; {_REMEDY}."
            )
        path = self._below_host(parts.path or "/")
        return quote(path, safe="/%:@!$&'()*+,;=~") + (f"?{quote(parts.query, safe=_QUERY)}" if parts.query else "")

    def _hosts(self) -> str:
        names = (f"{address.scheme}://{address.netloc.rpartition('@')[2]}" for address in self._addresses)
        return " or ".join(dict.fromkeys(names))

    def _below_host(self, path: str) -> str:
        """The path without the folder in which people's browsers see Label Studio, and with the one seen from here."""
        own, shown = (address.path for address in self._addresses)
        for folder in (own, shown):
            if folder and path.startswith(f"{folder}/"):
                return own + path.removeprefix(folder)
        return own + path

    def _read(self, url: str, path: str) -> bytes:
        for _ in range(1 + _MAX_REDIRECTS):
            answer = self._download(url, path)
            if answer.location is None:
                return self._checked(url, answer)
            path = self._path(urljoin(f"{self._host}/", urljoin(path, answer.location)), url)
            if "/user/login" in path:
                raise TextUnavailable(
                    f"The text at {_shown(url)} is not read: Label Studio shows it only to people who are logged in; "
                    f"{_REMEDY}."
                )
        raise TextUnavailable(f"The text at {_shown(url)} is redirected more than {_MAX_REDIRECTS} times: {_REMEDY}.")

    def _download(self, url: str, path: str) -> Download:
        seconds = min(FILE_SECONDS, self._seconds_left())
        if seconds <= 0:
            raise TextDelayed(
                f"The text at {_shown(url)} is not read: the texts of this request took more than "
                f"{self._total_seconds:.0f} s; send fewer tasks at once."
            )
        below_folder = path.removeprefix(self._addresses[0].path)
        answer = self._open_files().download(
            path, authorised=_FILES.match(below_folder) is not None, limit=self._limit, seconds=seconds
        )
        if answer is None:
            raise TextDelayed(
                f"The text at {_shown(url)} did not arrive within {seconds:.0f} s: check that Label Studio shows it, "
                "and send the request again."
            )
        return answer

    def _seconds_left(self) -> float:
        if self._total_seconds is None:
            return FILE_SECONDS
        if self._ends_at is None:
            self._ends_at = time.monotonic() + self._total_seconds
        return self._ends_at - time.monotonic()

    def _checked(self, url: str, answer: Download) -> bytes:
        if answer.status in _FOR_A_WHILE or answer.status >= 500:
            raise TextDelayed(f"Label Studio answered {answer.status} for the text at {_shown(url)}: its log says why.")
        if answer.status != 200:
            raise TextUnavailable(
                f"Label Studio answered {answer.status} for the text at {_shown(url)}: check that the file exists and "
                "that the owner of the access token may open it."
            )
        if len(answer.content) > self._limit:
            raise TextUnavailable(
                f"The text at {_shown(url)} is larger than {self._limit / 1_000_000:g} MB: split it, or raise "
                "MAX_TEXT_MB."
            )
        return answer.content


class TextCache:
    """The texts read last, up to `CACHE_CHARACTERS` in all and for `CACHE_SECONDS`; safe to share between threads."""

    def __init__(self, characters: int = CACHE_CHARACTERS, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._characters = characters
        self._clock = clock
        self._texts: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._size = 0
        self._guard = threading.Lock()

    def get(self, path: str) -> str | None:
        with self._guard:
            text, until = self._texts.get(path, ("", 0.0))
            if until <= self._clock():
                return None
            self._texts.move_to_end(path)
            return text

    def put(self, path: str, text: str) -> None:
        with self._guard:
            self._remove(path)
            self._texts[path] = text, self._clock() + CACHE_SECONDS
            self._size += len(text)
            while self._size > self._characters:
                self._remove(next(iter(self._texts)))

    def _remove(self, path: str) -> None:
        text, _ = self._texts.pop(path, ("", 0.0))
        self._size -= len(text)


def open_text_loader(
    settings: Settings, project: Project | None = None, *, total_seconds: float | None = None
) -> TextLoader:
    """A loader with the configured access token, or else with the one that the project's ``/setup`` brought.

    Loaders of one process and one token share their cache. Label Studio's library is imported with the first download.
    """

    def open_files() -> Files:
        from backend.label_studio.client import open_label_studio
        from backend.label_studio.files import files_of

        return files_of(open_label_studio(settings, project))

    key = settings.label_studio_api_key
    token = key.get_secret_value() if key else (project.access_token if project else None)
    cache = _shared_cache(settings.label_studio_base, token)
    return TextLoader(settings, open_files, total_seconds=total_seconds, cache=cache)


def skip_unread(loader: LoadText) -> LoadText:
    """The loader, with ``TextNotLoaded`` in place of every error: a task whose text is not read has none."""

    def load(url: str) -> str:
        try:
            return loader(url)
        except BackendError as error:
            raise TextNotLoaded(str(error)) from error

    return load


def loader_of(config: LabelConfig, settings: Settings, project: Project | None = None) -> LoadText | None:
    """The loader that `converters.task_texts` needs for a configuration; ``None`` where no text is at an address.

    It raises ``TextNotLoaded`` for a text that cannot be read.
    """
    if not any(text.is_url for text in config.texts):
        return None
    loader = open_text_loader(settings, project)

    def load(url: str) -> str:
        try:
            return loader(url)
        except TextUnavailable as error:
            raise TextNotLoaded(str(error)) from error

    return load


@lru_cache(maxsize=4)
def _shared_cache(url: str, token: str | None) -> TextCache:  # noqa: ARG001
    return TextCache()


_QUERY = "/%:@!$&'()*+,;=~?"


def _split(address: str) -> SplitResult | None:
    """The parts of an address; ``None`` where browsers and libraries may disagree about them."""
    if "\\" in address or not address.isprintable():
        return None
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    return None if "@" in parts.netloc else parts


def _is_path(address: str) -> bool:
    return address.startswith("/") and not address.startswith("//")


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _is_plain(path: str) -> bool:
    """Whether a path has no segment that a server may take for another folder, also not after it is decoded twice."""
    decoded = unquote(unquote(path))
    segments = decoded.split("/")
    return ".." not in segments and "." not in segments and "//" not in decoded and "\\" not in decoded


def _decoded(content: bytes) -> str:
    """The text as the browser's ``response.text()`` gives it: UTF-8 without a byte order mark, errors as U+FFFD."""
    return content.decode("utf-8-sig", "replace")


def _shown(url: str) -> str:
    return repr(url if len(url) <= 200 else f"{url[:200]}…")
