from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
import pytest

from backend.errors import LabelStudioRefused, LabelStudioUnreachable, TextDelayed, TextUnavailable
from backend.label_studio import texts
from backend.label_studio.texts import TextCache, TextLoader, loader_of, open_text_loader
from backend.settings import Settings
from backend.store.models import Project
from converters import TextNotLoaded
from label_config import LabelConfig
from tests.backend.fakes import LABEL_CONFIG
from tests.backend.label_studio.local_server import serving

LEGACY = "0" * 40
UPLOADED = "/data/upload/3/4f2c-report.txt"


class FileServer:
    """A Label Studio that serves ``files``; ``requests`` are the paths and Authorization headers in order.

    ``redirects`` maps a path to where it leads; ``accepted`` are the Authorization headers that open ``/data/``;
    ``status_of_missing`` is the answer for other files.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.accepted = {f"Token {LEGACY}"}
        self.url = ""
        self.drip_seconds = 0.0
        self.status_of_missing = 404

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]


def handler(server: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            header = self.headers.get("Authorization")
            server.requests.append((self.path, header))
            if self.path in server.redirects:
                self.answer(302, b"", Location=server.redirects[self.path])
            elif self.path.startswith("/data/") and header not in server.accepted:
                self.answer(401, b"{}")
            elif self.path in server.files:
                self.answer(200, server.files[self.path])
            else:
                self.answer(server.status_of_missing, b"no such file")

        def do_POST(self) -> None:
            server.requests.append((self.path, None))
            self.answer(200, b'{"access": "%s"}' % access_token().encode())

        def answer(self, status: int, content: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for start in range(0, len(content), 64) if server.drip_seconds else ():
                self.wfile.write(content[start : start + 64])
                time.sleep(server.drip_seconds)
            if not server.drip_seconds:
                self.wfile.write(content)

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:  # the client has read enough
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def token_of(kind: str) -> str:
    return jwt.encode({"token_type": kind, "exp": 4_000_000_000}, "a key of at least thirty-two bytes", "HS256")


def access_token() -> str:
    return token_of("access")


@pytest.fixture
def files() -> Iterator[FileServer]:
    server = FileServer()
    with serving(handler(server)) as server.url:
        yield server


@pytest.fixture
def load(files: FileServer, make_settings: Callable[..., Settings]) -> Callable[..., TextLoader]:
    """A loader of the server's files, with other settings where they are given."""

    def make(**values: Any) -> TextLoader:
        given = {"label_studio_url": files.url, "label_studio_api_key": LEGACY, **values}
        return open_text_loader(make_settings(**given))

    texts._shared_cache.cache_clear()
    return make


# Addresses


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (UPLOADED, UPLOADED),
        (f"  {UPLOADED}\n", UPLOADED),
        ("/data/local-files/?d=reports/a b.txt", "/data/local-files/?d=reports/a%20b.txt"),
        ("/data/local-files/?d=reports%2Fa.txt#page-2", "/data/local-files/?d=reports%2Fa.txt"),
        ("/data/upload/3/é 人.txt", "/data/upload/3/%C3%A9%20%E4%BA%BA.txt"),
        ("/data/upload/3/%C3%A9.txt", "/data/upload/3/%C3%A9.txt"),
        ("/tasks/7/resolve/?fileuri=czM6Ly9h", "/tasks/7/resolve/?fileuri=czM6Ly9h"),
        ("{url}" + UPLOADED, UPLOADED),
        ("HTTP://127.0.0.1:{port}" + UPLOADED, UPLOADED),
        ("http://ner.example" + UPLOADED, UPLOADED),
        ("http://NER.example:80" + UPLOADED, UPLOADED),
        ("http://ner.example/labels" + UPLOADED, UPLOADED),
        ("/labels" + UPLOADED, UPLOADED),
    ],
)
def test_text_of_label_studio_s_own_host_is_read(
    url: str, path: str, files: FileServer, load: Callable[..., TextLoader]
) -> None:
    files.files[path] = b"Ana came."
    if path.startswith("/tasks/"):
        files.accepted = set()
    loader = load(label_studio_public_url="http://ner.example/labels")
    assert loader(url.format(url=files.url, port=files.url.rpartition(":")[2])) == "Ana came."
    assert files.requests == [(path, f"Token {LEGACY}")]


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/a.txt",
        "//evil.example/data/upload/a.txt",
        "///evil.example/data/upload/a.txt",
        "/\\evil.example/data/upload/a.txt",
        "\\\\evil.example\\a.txt",
        "http:\\\\evil.example/data/upload/a.txt",
        "http://localhost:{port}/data/upload/a.txt",
        "http://127.0.0.1/data/upload/a.txt",
        "http://127.0.0.1:1{port}/data/upload/a.txt",
        "https://127.0.0.1:{port}/data/upload/a.txt",
        "http://127.0.0.1:{port}@evil.example/data/upload/a.txt",
        "http://evil@127.0.0.1:{port}/data/upload/a.txt",
        "http://127.0.0.1:{port}.evil.example/data/upload/a.txt",
        "http://127.0.0.1:{port}\\@evil.example/data/upload/a.txt",
        "http://127.0.0.1:{port}\t/data/upload/a.txt",
        "http://127.0.0.1:99999999/data/upload/a.txt",
        "http://[/data/upload/a.txt",
        "http:/data/upload/a.txt",
        "s3://bucket/a.txt",
        "gs://bucket/a.txt",
        "azure-blob://bucket/a.txt",
        "file:///etc/passwd",
        "data:text/plain,Ana",
        "javascript:alert(1)",
        "data/upload/a.txt",
        "Ana came to Boston.",
        "",
        "/data/upload/a\0.txt",
        "/data/upload/\ud800.txt",
        "/data/upload/../../api/current-user/token",
        "/data/upload/%2e%2e/%2E%2E/api/current-user/token",
        "/data/upload/%252e%252e/api/current-user/token",
        "/data/upload/..%2f..%2fapi/current-user/token",
        "/data/upload/..%5c..%5capi/current-user/token",
        "/data//evil.example/a.txt",
        "/data/%2fevil.example/a.txt",
    ],
)
def test_text_from_elsewhere_is_refused_by_its_address(
    url: str, files: FileServer, load: Callable[..., TextLoader]
) -> None:
    url = url.format(port=files.url.rpartition(":")[2])
    with pytest.raises(TextUnavailable, match=r"^The text at .+ is not read: .+; upload the file") as caught:
        load()(url)
    assert repr(url) in str(caught.value)
    assert files.requests == []


def test_error_names_the_hosts_that_are_read(files: FileServer, load: Callable[..., TextLoader]) -> None:
    with pytest.raises(TextUnavailable) as caught:
        load(label_studio_public_url="https://ner.example")("s3://bucket/a.txt")
    assert str(caught.value) == (
        "The text at 's3://bucket/a.txt' is not read: texts are read from Label Studio's own host only "
        f"({files.url} or https://ner.example); upload the file to Label Studio, or put the text itself into the task "
        "and remove the <Text> tag's valueType."
    )


def test_long_address_is_cut_in_the_error(load: Callable[..., TextLoader]) -> None:
    with pytest.raises(TextUnavailable) as caught:
        load()("Ana came. " * 10_000)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("path", ["/texts/a.txt", "/api/current-user/token", "/database/upload/a.txt"])
def test_token_is_sent_to_the_files_alone(path: str, files: FileServer, load: Callable[..., TextLoader]) -> None:
    files.files[path] = b"public"
    assert load()(path) == "public"
    assert files.requests == [(path, None)]


def test_label_studio_in_a_folder_of_its_host(files: FileServer, load: Callable[..., TextLoader]) -> None:
    files.files["/ls/data/upload/a.txt"] = b"Ana"
    files.files["/ls/data/upload/b.txt"] = b"Bo"
    loader = load(label_studio_url=f"{files.url}/ls/", label_studio_public_url="https://ner.example/labels")
    addresses = (
        "/data/upload/a.txt",
        "https://ner.example/labels/data/upload/a.txt",
        f"{files.url}/ls/data/upload/b.txt",
    )
    assert [loader(address) for address in addresses] == ["Ana", "Ana", "Bo"]
    assert files.requests == [(f"/ls/data/upload/{name}.txt", f"Token {LEGACY}") for name in "ab"]


# Redirects


@pytest.mark.parametrize(
    "location",
    ["/data/upload/b.txt", "b.txt", "?", "{url}/data/upload/b.txt"],
)
def test_redirect_on_the_same_host_is_followed(
    location: str, files: FileServer, load: Callable[..., TextLoader]
) -> None:
    files.redirects["/data/upload/a.txt"] = location.format(url=files.url)
    files.files["/data/upload/b.txt"] = b"Bo"
    if location == "?":
        files.redirects["/data/upload/a.txt"] = "/tasks/1/resolve/?fileuri=x"
        files.files["/tasks/1/resolve/?fileuri=x"] = b"Bo"
    assert load()("/data/upload/a.txt") == "Bo"


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://evil.example/b.txt", "own host only"),
        ("//evil.example/b.txt", "own host only"),
        ("https://127.0.0.1:{port}/data/upload/b.txt", "own host only"),
        ("http://x@127.0.0.1:{port}/data/upload/b.txt", "own host only"),
        ("file:///etc/passwd", "own host only"),
        ("/data/%2e%2e/api/current-user/token", "`..`"),
        ("/user/login/?next=/data/upload/a.txt", "logged in"),
        ("/data/upload/a.txt", "redirected more than 3 times"),
    ],
)
def test_redirect_elsewhere_is_refused(
    location: str, reason: str, files: FileServer, load: Callable[..., TextLoader]
) -> None:
    files.redirects["/data/upload/a.txt"] = location.format(port=files.url.rpartition(":")[2])
    with pytest.raises(TextUnavailable, match=reason) as caught:
        load()("/data/upload/a.txt")
    assert "'/data/upload/a.txt'" in str(caught.value)
    assert set(files.paths()) == {"/data/upload/a.txt"}


# Content


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", ""),
        ("Ána → 人 🍣\r\n".encode(), "Ána → 人 🍣\r\n"),
        (b"\xef\xbb\xbfAna", "Ana"),
        (b"\xef\xbb\xbf\xef\xbb\xbfAna", "\ufeffAna"),
        (b"Ana\xef\xbb\xbf", "Ana\ufeff"),
        (b"caf\xe9 \xff\xfe", "caf\ufffd \ufffd\ufffd"),
        (b"\xe4\xba x \xf0\x9f\x8d", "\ufffd x \ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        ("Ana".encode("utf-16"), "\ufffd\ufffdA\0n\0a\0"),
    ],
)
def test_text_is_decoded_as_browsers_do(
    content: bytes, text: str, files: FileServer, load: Callable[..., TextLoader]
) -> None:
    files.files[UPLOADED] = content
    assert load()(UPLOADED) == text


def test_text_of_the_largest_size_is_read(files: FileServer, load: Callable[..., TextLoader]) -> None:
    files.files[UPLOADED] = b"x" * 20_000
    assert len(load(max_text_mb=0.02)(UPLOADED)) == 20_000


def test_larger_text_is_refused_with_the_setting_s_name(files: FileServer, load: Callable[..., TextLoader]) -> None:
    files.files[UPLOADED] = b"x" * 20_001
    with pytest.raises(TextUnavailable, match=r"larger than 0\.02 MB: split it, or raise MAX_TEXT_MB\.$"):
        load(max_text_mb=0.02)(UPLOADED)


# Failures


def test_missing_file_is_named_with_label_studio_s_answer(load: Callable[..., TextLoader]) -> None:
    with pytest.raises(TextUnavailable, match=rf"^Label Studio answered 404 for the text at '{UPLOADED}': check that"):
        load()(UPLOADED)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_failure_of_the_server_may_be_over_later(
    status: int, files: FileServer, load: Callable[..., TextLoader]
) -> None:
    files.status_of_missing = status
    with pytest.raises(TextDelayed, match=f"^Label Studio answered {status} for the text at .*: its log says why"):
        load()(UPLOADED)


@pytest.mark.parametrize("status", [403, 404, 410])
def test_other_answers_are_final(status: int, files: FileServer, load: Callable[..., TextLoader]) -> None:
    files.status_of_missing = status
    with pytest.raises(TextUnavailable) as caught:
        load()(UPLOADED)
    assert not isinstance(caught.value, TextDelayed)


def test_slow_text_is_given_up(
    files: FileServer, load: Callable[..., TextLoader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "FILE_SECONDS", 0.2)
    files.files[UPLOADED] = b"x" * 6400
    files.drip_seconds = 0.05
    with pytest.raises(TextDelayed, match="did not arrive within"):
        load()(UPLOADED)


def test_texts_of_a_request_share_its_time(
    files: FileServer, make_settings: Callable[..., Settings], load: Callable[..., TextLoader]
) -> None:
    files.files[UPLOADED] = b"Ana"
    settings = make_settings(label_studio_url=files.url, label_studio_api_key=LEGACY)
    loader = open_text_loader(settings, total_seconds=0.0)
    with pytest.raises(TextDelayed, match="send fewer tasks at once"):
        loader(UPLOADED)
    assert load()(UPLOADED) == "Ana"
    assert loader(UPLOADED) == "Ana"


def test_refused_token_is_no_missing_text(files: FileServer, load: Callable[..., TextLoader]) -> None:
    with pytest.raises(LabelStudioRefused, match="set LABEL_STUDIO_API_KEY"):
        load(label_studio_api_key="1" * 40)(UPLOADED)


def test_label_studio_that_is_away_is_no_missing_text(load: Callable[..., TextLoader]) -> None:
    with pytest.raises(LabelStudioUnreachable, match="check that it runs"):
        load(label_studio_url="http://127.0.0.1:1")(UPLOADED)


# Tokens


@pytest.mark.filterwarnings("ignore:The `parse_obj` method")  # Label Studio's library
def test_personal_access_token_is_exchanged(files: FileServer, load: Callable[..., TextLoader]) -> None:
    files.files[UPLOADED] = b"Ana"
    files.accepted = {f"Bearer {access_token()}"}
    assert load(label_studio_api_key=token_of("refresh"))(UPLOADED) == "Ana"
    assert files.paths() == ["/api/token/refresh/", UPLOADED]


def test_token_of_the_project_s_setup_is_used_without_a_configured_one(
    files: FileServer, make_settings: Callable[..., Settings]
) -> None:
    files.files[UPLOADED] = b"Ana"
    project = Project(uid="7.1", access_token=LEGACY)
    assert open_text_loader(make_settings(label_studio_url=files.url), project)(UPLOADED) == "Ana"


# Configurations


def test_configuration_without_addresses_needs_no_loader(make_settings: Callable[..., Settings]) -> None:
    assert loader_of(LabelConfig.from_xml(LABEL_CONFIG), make_settings()) is None


def test_text_that_is_unavailable_is_a_missing_text(files: FileServer, make_settings: Callable[..., Settings]) -> None:
    config = LabelConfig.from_xml(LABEL_CONFIG.replace("<Text ", '<Text valueType="url" '))
    files.files[UPLOADED] = b"Ana"
    load = loader_of(config, make_settings(label_studio_url=files.url, label_studio_api_key=LEGACY))
    assert load is not None
    assert load(UPLOADED) == "Ana"
    with pytest.raises(TextNotLoaded, match=r"'s3://a/b\.txt' is not read"):
        load("s3://a/b.txt")


# Cache


def test_text_is_fetched_once(files: FileServer, load: Callable[..., TextLoader]) -> None:
    files.files[UPLOADED] = b"Ana"
    assert [load()(UPLOADED), load()(f"{files.url}{UPLOADED}")] == ["Ana", "Ana"]
    assert files.paths() == [UPLOADED]


def test_text_that_failed_is_fetched_again(files: FileServer, load: Callable[..., TextLoader]) -> None:
    loader = load()
    with pytest.raises(TextUnavailable):
        loader(UPLOADED)
    files.files[UPLOADED] = b"Ana"
    assert loader(UPLOADED) == "Ana"


def test_another_token_does_not_read_from_the_cache(files: FileServer, load: Callable[..., TextLoader]) -> None:
    files.files[UPLOADED] = b"Ana"
    load()(UPLOADED)
    with pytest.raises(LabelStudioRefused):
        load(label_studio_api_key="1" * 40)(UPLOADED)


def test_cache_drops_the_text_unused_for_longest() -> None:
    cache = TextCache(characters=10)
    cache.put("/a", "aaaa")
    cache.put("/b", "bbbb")
    assert cache.get("/a") == "aaaa"
    cache.put("/c", "cccc")
    cache.put("/large", "x" * 11)
    assert [cache.get(path) for path in ("/a", "/b", "/c", "/large")] == [None] * 4
    cache.put("/a", "aaaa")
    cache.put("/a", "AAAA")
    cache.put("/b", "bbbb")
    assert (cache.get("/a"), cache.get("/b")) == ("AAAA", "bbbb")
    cache.put("/c", "cc")
    assert [cache.get(path) for path in ("/a", "/b", "/c")] == ["AAAA", "bbbb", "cc"]
    cache.put("/d", "d")
    assert [cache.get(path) for path in ("/a", "/b", "/c", "/d")] == [None, "bbbb", "cc", "d"]


def test_cached_text_is_read_again_after_some_minutes() -> None:
    now = 0.0
    cache = TextCache(clock=lambda: now)
    cache.put("/a", "a")
    now = texts.CACHE_SECONDS - 1
    assert cache.get("/a") == "a"
    now = texts.CACHE_SECONDS + 1
    assert cache.get("/a") is None
