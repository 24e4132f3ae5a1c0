"""A server on this machine that speaks the Hugging Face hub's protocol, for tests.

Repositories, commits, uploads in the two ways of git-lfs, and files at a commit by HTTP, large
ones behind a redirect to another port, as the hub sends them to its CDN. It notes what it was
asked, and can break off a large file's body.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_of-the-tests"
LARGE = 1000


@dataclass
class Repository:
    """Its commits by their hash; each is the files by path. The newest is `head`."""

    private: bool = True
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    head: str = ""

    def commit(self, files: dict[str, bytes], *, without: tuple[str, ...] = ()) -> str:
        """Adds files to the newest commit, less some folders, and returns the new one's hash."""
        content = {**self.commits.get(self.head, {}), **files}
        content = {path: text for path, text in content.items() if not path.startswith(without)}
        mark = repr(sorted(content.items())) + self.head
        self.head = hashlib.sha1(mark.encode(), usedforsecurity=False).hexdigest()
        self.commits[self.head] = content
        return self.head


@dataclass
class Hub:
    """What it holds, what it was asked, and how it misbehaves."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    break_after: list[int] = field(default_factory=list)
    """Bytes after which the next bodies of large files break off, one number for each."""
    pause_after: tuple[int, float] = (0, 0.0)
    """Bytes after which the bodies of large files stop for so many seconds."""
    announced: int = 0
    """The bytes that large files are said to have; 0: as many as they have."""
    failing: int = 0
    """The status of every answer with a file's content; 0: as it should be."""
    addresses: list[str] = field(default_factory=list)
    """Its own, and its CDN's."""

    def bodies(self) -> list[dict[str, str]]:
        """The headers of the requests for large files' bodies."""
        return [headers for _, path, headers in self.asked if "/cdn/" in path]


@contextmanager
def hub_server() -> Iterator[Hub]:
    """The hub, and its CDN on a port of its own."""
    hub = Hub()

    class Bound(_Requests):
        state = hub

    servers = [_Server(("127.0.0.1", 0), Bound) for _ in range(2)]
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,)) for server in servers]
    hub.addresses = [f"http://127.0.0.1:{server.server_port}" for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may hang up: that is no error here."""


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Hub

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        self._answer(self._body())

    do_HEAD = do_PUT = do_POST = do_GET

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, body: bytes) -> None:
        path = self.path.split("?")[0]
        self.state.asked.append((self.command, path, dict(self.headers)))
        for pattern, method in _ROUTES:
            found = re.fullmatch(pattern, path)
            if found and self.command in method[0]:
                if "/cdn/" not in path and not self._allowed():
                    return
                getattr(self, method[1])(body, *found.groups())
                return
        self._send(404, {"error": f"no {path}"})

    def _allowed(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {TOKEN}":
            return True
        self._send(401, {"error": "Invalid credentials."})
        return False

    def _send(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _create(self, body: bytes) -> None:
        wanted = json.loads(body)
        name = f"{wanted['organization']}/{wanted['name']}"
        if name in self.state.repositories:
            self._send(409, {"error": "exists", "url": f"{self.state.addresses[0]}/{name}"})
            return
        private = wanted.get("private") or wanted.get("visibility") == "private"
        repository = self.state.repositories[name] = Repository(private=bool(private))
        repository.commit({".gitattributes": b""})
        self._send(200, {"url": f"{self.state.addresses[0]}/{name}", "id": name})

    def _described(self, body: bytes, name: str) -> None:
        found = self.state.repositories.get(name)
        if not found:
            self._send(404, {"error": "no repo"}, {"X-Error-Code": "RepoNotFound"})
            return
        files = [{"rfilename": path} for path in found.commits.get(found.head, {})]
        about = {"id": name, "private": found.private, "sha": found.head, "siblings": files}
        self._send(200, about)

    def _tree(self, body: bytes, name: str, revision: str) -> None:
        files = self.state.repositories[name].commits[revision].items()
        self._send(200, [{"type": "file", "path": p, "size": len(c), "oid": p} for p, c in files])

    def _fixed(self, body: bytes) -> None:
        """Who asks, and what is wrong with a README: always the same."""
        self._send(200, {"type": "user", "name": "tests", "orgs": [], "errors": [], "warnings": []})

    def _preupload(self, body: bytes, name: str) -> None:
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["size"] > LARGE else "regular",
                "shouldIgnore": False,
            }
            for file in json.loads(body)["files"]
        ]
        self._send(200, {"files": files})

    def _batch(self, body: bytes, name: str) -> None:
        objects = []
        for wanted in json.loads(body)["objects"]:
            upload = {"href": f"{self.state.addresses[1]}/cdn/{wanted['oid']}"}
            known = wanted["oid"] in self.state.objects
            objects.append({**wanted, **({} if known else {"actions": {"upload": upload}})})
        self._send(200, {"transfer": "basic", "objects": objects})

    def _store(self, body: bytes, oid: str) -> None:
        self.state.objects[oid] = body
        self._send(200, {})

    def _commit(self, body: bytes, name: str) -> None:
        files, folders = {}, []
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.state.objects[value["oid"]]
            elif entry["key"] == "deletedFolder":
                folders.append(value["path"])
        oid = self.state.repositories[name].commit(files, without=tuple(folders))
        url = f"{self.state.addresses[0]}/{name}/commit/{oid}"
        self._send(200, {"commitUrl": url, "commitOid": oid, "pullRequestUrl": None})

    def _resolve(self, body: bytes, name: str, revision: str, file: str) -> None:
        if self.state.failing:
            self._send(self.state.failing, {"error": "out of order"})
            return
        repository = self.state.repositories.get(name, Repository())
        revision = repository.head if revision == "main" else revision
        content = repository.commits.get(revision, {}).get(file)
        if content is None:
            self._send(404, {"error": "no entry"}, {"X-Error-Code": "EntryNotFound"})
        elif len(content) <= LARGE:
            self._send(200, content, {"X-Repo-Commit": revision, "ETag": '"small"'})
        else:
            oid = hashlib.sha256(content).hexdigest()
            self.state.objects[oid] = content
            linked = {"X-Linked-ETag": f'"{oid}"', "X-Linked-Size": str(len(content))}
            place = {"Location": f"{self.state.addresses[1]}/cdn/{oid}"}
            self._send(302, b"", {**place, **linked, "X-Repo-Commit": revision})

    def _large(self, body: bytes, oid: str) -> None:
        content = self.state.objects[oid]
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        if start >= len(content):
            self._send(416, b"")
            return
        self.send_response(206 if found else 200)
        self.send_header("Content-Length", str((self.state.announced or len(content)) - start))
        self.end_headers()
        if self.state.pause_after[1]:
            count, seconds = self.state.pause_after
            self.wfile.write(content[start : start + count])
            time.sleep(seconds)
            self.wfile.write(content[start + count :])
        elif self.state.break_after:
            self.wfile.write(content[start : start + self.state.break_after.pop(0)])
            self.close_connection = True
        else:
            self.wfile.write(content[start:])


_REPO = r"([\w.-]+/[\w.-]+)"
_ROUTES = (
    (r"/api/whoami-v2", (("GET",), "_fixed")),
    (r"/api/repos/create", (("POST",), "_create")),
    (r"/api/validate-yaml", (("POST",), "_fixed")),
    (rf"/api/models/{_REPO}/preupload/main", (("POST",), "_preupload")),
    (rf"/api/models/{_REPO}/commit/main", (("POST",), "_commit")),
    (rf"/api/models/{_REPO}(?:/revision/main)?", (("GET",), "_described")),
    (rf"/api/models/{_REPO}/tree/([0-9a-f]+)", (("GET",), "_tree")),
    (rf"/{_REPO}\.git/info/lfs/objects/batch", (("POST",), "_batch")),
    (r"/cdn/([0-9a-f]{64})", (("PUT",), "_store")),
    (r"/cdn/([0-9a-f]{64})", (("GET",), "_large")),
    (rf"/{_REPO}/resolve/([^/]+)/(.+)", (("GET", "HEAD"), "_resolve")),
)
