"""A small hub on the loopback: serves files as the real one does, counts what it sends, and misbehaves on request."""

import contextlib
import hashlib
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REPO, NAME = "owner/repo", "model.gguf"


class Hub:
    """One server. Every attribute may be changed at any time.

    sent: bytes of files that left, per GET. seen: (method, path, headers) of every request.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}  # by path
        self.etags: dict[str, str] = {}  # by path, where it is not the sha256
        self.announced: int | None = None  # X-Linked-Size, where it is not the truth
        self.silent = False  # says no sizes in HEAD
        self.ranges = True
        self.answers: list[tuple[str, int, dict[str, str]]] = []  # (method, status, headers) instead of a file, once
        self.always: tuple[str, int, dict[str, str]] | None = None  # the same, every time
        self.cuts: list[int] = []  # after so many bytes the next GETs break off
        self.hard = False  # with a reset, not with an end
        self.down = False  # hangs up without an answer
        self.pause = 0.0  # seconds after every BLOCK
        self.after_cut: Callable[[], None] = lambda: None
        self.stuck: int | None = None  # sends nothing beyond this byte
        self.location: str | None = None  # where HEAD and GET are redirected to
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.sent: list[int] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                hub.answer(self)

            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def put(self, content: bytes, name: str = NAME, revision: str = "main", etag: str = "") -> None:
        path = f"/{REPO}/resolve/{revision}/{name}"
        self.files[path] = content
        self.etags[path] = etag or hashlib.sha256(content).hexdigest()

    def gets(self) -> list[dict[str, str]]:
        return [headers for method, _, headers in self.seen if method == "GET"]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((request.command, request.path, headers))
        if self.down:
            request.close_connection = True
            return
        planned = self.always
        if planned is None and self.answers and self.answers[0][0] == request.command:
            planned = self.answers.pop(0)
        if planned and planned[0] in (request.command, "ANY"):
            return respond(request, planned[1], {"Content-Length": "0", **planned[2]})
        content = self.files.get(request.path.partition("?")[0])
        if content is None:
            return respond(request, 404, {"Content-Length": "0", "X-Error-Code": "EntryNotFound"})
        about = {"X-Repo-Commit": "c" * 40, "ETag": '"of-the-answer"', "X-Linked-Etag": f'"{self.etags[request.path]}"'}
        if not self.silent:
            about["X-Linked-Size"] = str(len(content) if self.announced is None else self.announced)
        if self.location:
            return respond(request, 302, {**about, "Location": self.location, "Content-Length": "0"})
        if request.command == "HEAD":
            return respond(request, 200, about if self.silent else {**about, "Content-Length": str(len(content))})
        self.deliver(request, content, headers.get("range"), about)

    def deliver(
        self, request: BaseHTTPRequestHandler, content: bytes, wanted: str | None, about: dict[str, str]
    ) -> None:
        start, status, total = 0, 200, len(content)
        if wanted and self.ranges:
            [first] = re.fullmatch(r"bytes=(\d+)-", wanted).groups()  # type: ignore[union-attr]
            start, status = int(first), 206
            if start >= total:
                return respond(request, 416, {"Content-Range": f"bytes */{total}", "Content-Length": "0"})
            about = {**about, "Content-Range": f"bytes {start}-{total - 1}/{total}"}
        respond(request, status, {**about, "Accept-Ranges": "bytes", "Content-Length": str(total - start)})
        until = min(total, start + self.cuts.pop(0)) if self.cuts else total
        self.sent.append(0)
        mine = len(self.sent) - 1
        with contextlib.suppress(OSError):
            for at in range(start, until, BLOCK):
                block = content[at : min(at + BLOCK, until)]
                while self.stuck is not None and at + len(block) > self.stuck:
                    time.sleep(0.02)
                request.wfile.write(block)
                self.sent[mine] += len(block)
                time.sleep(self.pause)
        if until < total:
            self.after_cut()
            request.close_connection = True
            if self.hard:
                time.sleep(0.1)  # what is under way arrives first
                request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                os.close(request.connection.detach())


BLOCK = 1 << 14  # bytes


def respond(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()


@contextlib.contextmanager
def serving() -> Iterator[Hub]:
    hub = Hub()
    worker = threading.Thread(target=hub.server.serve_forever, args=(0.05,), daemon=True)
    worker.start()
    try:
        yield hub
    finally:
        hub.stuck = None
        hub.server.shutdown()
        hub.server.server_close()


class Told:
    """Who watches a pull: remembers everything."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.totals: list[int | None] = []
        self.done: list[int] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def begin(self, label: str, total: int | None) -> None:
        self.totals.append(total)

    def at(self, done: int) -> None:
        self.done.append(done)

    def end(self) -> None:
        pass
