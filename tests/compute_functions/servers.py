"""Real HTTP servers for the functions that run on clusters: a framework, a relay, a proxy."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP/1.1 and hands every request to the server's `answer`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.answer(Exchange(self, body))

    def do_GET(self) -> None:
        self.server.answer(Exchange(self, b""))

    def do_CONNECT(self) -> None:
        self.server.answer(Exchange(self, b""))

    def log_message(self, *_args: object) -> None:
        """Keep quiet."""


@dataclass
class Exchange:
    """One request under way, and the means to answer it."""

    handler: Handler
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.handler.headers.items()}

    def reply(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        self.begin(status, **{"content_length": str(len(body)), **headers})
        self.write(body)

    def begin(self, status: int, **headers: str) -> None:
        self.handler.send_response(status)
        for name, value in {"content_type": "application/json", **headers}.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()

    def begin_stream(self) -> None:
        self.begin(200, content_type="text/event-stream", transfer_encoding="chunked")

    def write(self, data: bytes) -> None:
        self.handler.wfile.write(data)
        self.handler.wfile.flush()

    def write_chunk(self, data: bytes) -> None:
        self.write(b"%x\r\n%s\r\n" % (len(data), data))

    def break_off(self) -> None:
        self.handler.close_connection = True

    def wait_for_leaving(self, timeout_s: float) -> float | None:
        """Seconds until the other side closes its connection; `None` if it does not."""
        began = time.monotonic()
        self.handler.connection.settimeout(timeout_s)
        try:
            while self.handler.connection.recv(1024):
                pass
        except TimeoutError:
            return None
        except OSError:
            pass
        return time.monotonic() - began


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answer: Callable[[Exchange], None], port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.answer = answer

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A peer that leaves is what these tests are about."""


@contextmanager
def serve(answer: Callable[[Exchange], None], port: int = 0) -> Iterator[Server]:
    server = Server(answer, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class RelayServer:
    """What a gateway's relay does, as far as the function can see: takes messages, answers statuses."""

    ticket: str = "a-ticket"
    port: int = 0
    path: str = "/resource_server/relay/stream-1"
    messages: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    sockets: list[socket.socket] = field(default_factory=list)
    decide: Callable[[dict[str, Any]], tuple[int, dict[str, str]]] = lambda _message: (200, {})
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def answer(self, exchange: Exchange) -> None:
        assert exchange.headers["authorization"] == f"Bearer {self.ticket}"
        assert exchange.headers["content-type"] == "application/json"
        assert exchange.handler.path == self.path
        assert len(exchange.body) <= 1 << 20
        message = json.loads(exchange.body)
        status, headers = self.decide(message)
        with self.arrived:
            self.connections.add(exchange.handler.client_address)
            self.times.append(time.monotonic())
            self.messages.append(message)
            self.arrived.notify_all()
        exchange.reply(status, b"{}", **headers)
        self.sockets.append(exchange.handler.connection)

    def drop_connections(self) -> None:
        for connection in self.sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def wait_for(self, found: Callable[[dict[str, Any]], bool], timeout_s: float = 5.0) -> float:
        """When the first message that fits came (`time.monotonic()`)."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: any(map(found, self.messages)), timeout_s), self.messages
            return next(at for at, message in zip(self.times, self.messages, strict=True) if found(message))

    @property
    def address(self) -> dict[str, str]:
        return {"url": f"http://127.0.0.1:{self.port}{self.path}", "ticket": self.ticket}

    @property
    def data(self) -> str:
        by_seq = {message["seq"]: message for message in self.messages if "seq" in message}
        return "".join(by_seq[seq].get("data", "") for seq in sorted(by_seq))


def sse(document: object) -> bytes:
    return b"data: " + json.dumps(document, ensure_ascii=False).encode() + b"\n\n"
