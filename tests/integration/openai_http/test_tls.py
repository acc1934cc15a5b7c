"""A private certificate authority is configured, never skipped."""

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from resource_server.backends.base import UpstreamUnavailable
from resource_server.backends.openai_http import OpenAIHTTPBackend
from tests.integration.openai_http.upstreams import Connection, call, read_all, serve, target


async def answer(connection: Connection) -> None:
    while True:
        await connection.receive()
        await connection.answer(b"{}")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "framework")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, pkcs8, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path / "framework.pem"
    path.write_bytes(signed.public_bytes(pem) + key.private_bytes(pem, pkcs8, plain))
    return path


@pytest.fixture
def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_private_authority_of_the_row_is_trusted(
    backend: OpenAIHTTPBackend, certificate: Path, server_context: ssl.SSLContext
) -> None:
    async with serve(answer, server_context) as framework:
        where = target(framework.base_url, ca_file=str(certificate))
        for _ in range(3):
            assert await read_all(await backend.open(call(where))) == b"{}"
        assert framework.connections == 1


async def test_unknown_authority_is_unavailable(backend: OpenAIHTTPBackend, server_context: ssl.SSLContext) -> None:
    async with serve(answer, server_context) as framework:
        with pytest.raises(UpstreamUnavailable, match="Certificate"):
            await backend.open(call(target(framework.base_url)))
        assert framework.bodies == []


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_unreadable_authority_is_unavailable(
    backend: OpenAIHTTPBackend, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UpstreamUnavailable, match=r"ca\.pem"):
        await backend.open(call(target("https://127.0.0.1:9/v1", ca_file=str(path))))
