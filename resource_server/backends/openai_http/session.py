"""The HTTP client session of the inference path."""

import aiohttp

KEEPALIVE_S = 4.0
"""How long an idle connection is kept: less than the 5 s after which uvicorn, hence vLLM, closes its side.

The other way round a request could meet a connection that is just being closed.
"""


def build_session(*, connect_timeout_s: float = 0.25) -> aiohttp.ClientSession:
    """A session for one process, to be opened and closed by its lifespan.

    Bounded by us: how many requests per target (bulkheads), how long (`Call.deadline`), how much (byte caps). So
    aiohttp's own limits are off: they would queue at 100 connections and cut answers after 300 s.

    Args:
        connect_timeout_s: for the address look-up, the TCP connection and the TLS handshake together.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S, ttl_dns_cache=60),
        timeout=aiohttp.ClientTimeout(total=None, connect=connect_timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": "inference-gateway",
        },
        skip_auto_headers=("Accept",),
    )
