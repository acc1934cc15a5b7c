from collections.abc import AsyncIterator

import aiohttp
import pytest

from resource_server.backends.openai_http import OpenAIHTTPBackend, build_session


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with build_session(connect_timeout_s=1.0) as session:
        yield session


@pytest.fixture
def backend(session: aiohttp.ClientSession) -> OpenAIHTTPBackend:
    return OpenAIHTTPBackend(session, {"TINY_KEY": "sk-tiny"})
