"""Servers that behave, and misbehave, as frameworks do: raw HTTP/1.1, so that every fault is in the script's hand."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext

from resource_server.backends.base import Call
from resource_server.backends.openai_http.upstream import HTTPUpstream
from resource_server.domain.operations import Operation
from resource_server.domain.targets import OpenAIHTTPTarget

BODY = b'{"model":"tiny"}'


@dataclass
class Connection:
    """One connection as the framework sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def receive(self) -> tuple[list[str], bytes]:
        """The next request: its head's lines and its body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        lengths = [line.partition(":")[2] for line in head if line.lower().startswith("content-length:")]
        return head, await self.reader.readexactly(int(lengths[0]))

    async def answer(self, body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body) if length is None else length}", *headers]
        await self.send("\r\n".join([*lines, "", ""]).encode() + body)

    async def begin_stream(self) -> None:
        await self.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def wait_closed(self) -> None:
        """Until the other side closes."""
        await self.reader.read()


Script = Callable[[Connection], Awaitable[None]]


@dataclass
class Framework:
    """A listening server: `base_url` and what it has seen."""

    base_url: str
    heads: list[list[str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def serve(script: Script, ssl: SSLContext | None = None) -> AsyncIterator[Framework]:
    """Serve each connection by `script`; `ended` is set whenever a connection's script is over."""
    framework = Framework("")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framework.connections += 1
        try:
            await script(Recording(reader, writer, framework))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            framework.ended.set()
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=ssl, backlog=512)
    port = server.sockets[0].getsockname()[1]
    framework.base_url = f"{'https' if ssl else 'http'}://127.0.0.1:{port}/v1"
    async with server:
        yield framework


@dataclass
class Recording(Connection):
    framework: Framework

    async def receive(self) -> tuple[list[str], bytes]:
        head, body = await super().receive()
        self.framework.heads.append(head)
        self.framework.bodies.append(body)
        self.framework.asked.set()
        return head, body


def target(base_url: str, **fields: object) -> OpenAIHTTPTarget:
    return OpenAIHTTPTarget.model_validate(
        {
            "backend": "openai_http",
            "cluster": "sophia",
            "framework": "vllm",
            "model": "tiny",
            "base_url": base_url,
            **fields,
        }
    )


def call(where: OpenAIHTTPTarget, *, body: bytes = BODY, stream: bool = False, timeout_s: float = 10.0) -> Call:
    deadline = time.monotonic() + timeout_s
    return Call("req-1", where, Operation.CHAT_COMPLETIONS, body, stream, deadline)


async def drain(upstream: HTTPUpstream) -> None:
    """Read to the end, throwing away what comes."""
    while await upstream.read(1.0) != b"":
        pass


async def read_all(upstream: HTTPUpstream) -> bytes:
    """Read to the end and close."""
    parts = []
    try:
        while (data := await upstream.read(0.5)) != b"":
            parts.append(data or b"")
    finally:
        await upstream.aclose()
    return b"".join(parts)
