"""Downloading and linking the master, without the network: a package index on loopback."""

from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulation.errors import EnvironmentMissing
from emulation.master import download as module
from emulation.master import installation, stubs
from emulation.master.download import FILE, download, pip_settings

CONTENT = b"not really Mesos" * 10_000


class Index(http.server.BaseHTTPRequestHandler):
    """A package index (PEP 503) with the one file, broken as `fault` says."""

    fault = ""

    def do_GET(self) -> None:
        if self.path.startswith("/simple/mesos-scheduler/") and self.fault != "no project":
            digest = hashlib.sha256(CONTENT).hexdigest()
            name = "other.tar.gz" if self.fault == "no file" else FILE
            self._send(f'<a href="/files/{name}#sha256={digest}">{name}</a>'.encode(), "text/html")
        elif self.path == f"/files/{FILE}":
            if self.fault == "cut":
                self._send(CONTENT[:1000], "application/gzip", len(CONTENT))
            else:
                self._send(b"x" + CONTENT[1:] if self.fault == "damaged" else CONTENT, "application/gzip")
        else:
            self.send_error(404)

    def _send(self, body: bytes, kind: str, length: int = 0) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Index]]:
    class Handler(Index):
        pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    settings = {"index-url": f"http://127.0.0.1:{server.server_port}/simple/"}
    monkeypatch.setattr(module, "pip_settings", lambda: settings)
    monkeypatch.setattr(module, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    yield Handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_downloads_by_name_and_tells_progress(index: type[Index], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    download(tmp_path / "file", lambda done, total: told.append((done, total)))
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no project", "the package index has no"),
        ("no file", "the package index has no"),
        ("damaged", "damaged"),
        ("cut", "cannot be downloaded"),
    ],
)
def test_faults_leave_nothing_and_say_so(index: type[Index], tmp_path: Path, fault: str, words: str) -> None:
    index.fault = fault
    with pytest.raises(EnvironmentMissing, match=words):
        download(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
    index.fault = ""
    download(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_another_file_under_the_name_is_refused(
    index: type[Index], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHA256", "0" * 64)
    with pytest.raises(EnvironmentMissing, match="is another file"):
        download(tmp_path / "file")


def test_given_up_download_leaves_nothing(index: type[Index], tmp_path: Path) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(EnvironmentMissing):
        download(tmp_path / "file", cancelled=cancelled)
    assert list(tmp_path.iterdir()) == []


def test_find_links_need_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / FILE).write_bytes(CONTENT)
    monkeypatch.setattr(module, "SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(module, "pip_settings", lambda: {"find-links": f"/nowhere {tmp_path / 'wheels'}"})
    download(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_pip_settings_prefer_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://localhost/simple")
    assert pip_settings()["index-url"] == "http://localhost/simple"


def test_archive_without_the_library(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("nothing"), io.BytesIO())
    with pytest.raises(EnvironmentMissing, match="has no _scheduler"):
        installation._unpack(tmp_path / "a.tar.gz", tmp_path / "libmesos.so")
    assert not (tmp_path / "libmesos.so").exists()


def test_other_platforms_are_told_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    with pytest.raises(EnvironmentMissing, match=r"x86-64 Linux .*Darwin on arm64\. .*--master HOST:PORT"):
        installation.check_platform()


def test_stub_sources() -> None:
    symbols = [
        stubs.Symbol("SSL_read", "libssl.so.1.0.0", "OPENSSL_1.0.0"),
        stubs.Symbol("SSL_new", "libssl.so.1.0.0", "OPENSSL_1.0.1"),
        stubs.Symbol("PyNone", stubs.PYTHON, ""),
    ]
    assert stubs.source(symbols, "libssl.so.1.0.0").splitlines() == [
        "void *SSL_read(void) { return 0; }",
        "void *SSL_new(void) { return 0; }",
    ]
    assert stubs.version_script(symbols, "libssl.so.1.0.0").splitlines() == [
        "OPENSSL_1.0.0 { global: SSL_read; };",
        "OPENSSL_1.0.1 { global: SSL_new; };",
    ]
    assert stubs.source(symbols, stubs.PYTHON) == "char PyNone[512];\n"
    assert stubs.version_script(symbols, stubs.PYTHON) == ""
