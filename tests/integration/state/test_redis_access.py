"""Passwords, databases, TLS."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis import Redis

from resource_server.state.build import open_state
from tests.servers.redis import RedisServer


async def test_password_and_database_of_the_address_are_used(redis_server: RedisServer) -> None:
    with Redis.from_url(redis_server.address) as client:
        client.config_set("requirepass", "p@ss word")
    address = redis_server.address.replace("//", "//:p%40ss%20word@") + "/5"
    state = await open_state(address, workers=1)
    await state.key_value.set("token", b"alice", 60)
    await state.aclose()
    with Redis.from_url(address) as client:
        assert client.keys("*") == [b"gw:kv:token"]


async def test_wrong_password_is_a_redis_that_is_away(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    with Redis.from_url(redis_server.address) as client:
        client.config_set("requirepass", "right")
    state = await open_state(redis_server.address.replace("//", "//:hunter2@"), workers=1)
    assert state.is_degraded()
    await state.key_value.set("token", b"alice", 60)
    assert await state.key_value.get("token") == b"alice"
    await state.aclose()
    assert "redis is away" in caplog.text
    assert "hunter2" not in caplog.text


async def test_server_with_a_known_certificate_is_used(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(_make_certificate(tmp_path)))
    async with _serve_tls(tmp_path, redis_server) as address:
        state = await open_state(address, workers=1)
        assert not state.is_degraded()
        await state.key_value.set("token", b"alice" * 50_000, 60)
        assert await state.key_value.get("token") == b"alice" * 50_000
        await state.aclose()


async def test_server_with_an_unknown_certificate_is_refused(redis_server: RedisServer, tmp_path: Path) -> None:
    _make_certificate(tmp_path)
    async with _serve_tls(tmp_path, redis_server) as address:
        state = await open_state(address, workers=1)
        assert state.is_degraded()
        await state.aclose()


def _make_certificate(folder: Path) -> Path:
    """A key and a certificate for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM
    private = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(form))
    return folder / "certificate.pem"


@asynccontextmanager
async def _serve_tls(folder: Path, redis_server: RedisServer) -> AsyncIterator[str]:
    """The address of a listener that decrypts for `redis_server`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    host, port = redis_server.address.removeprefix("redis://").split(":")

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context)
    try:
        yield f"rediss://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    finally:
        server.close()
        await asyncio.sleep(0.05)  # the connections end with their clients
