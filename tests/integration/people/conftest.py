"""One gateway for a file of tests, with its pages; groups are believed for half a second only."""

from collections.abc import Iterator

import pytest

from tests.gateway import GatewayServer
from tests.globus_cloud import GlobusCloud
from tests.people import Browser, build_gateway, origin_of, register


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, globus_session: GlobusCloud) -> Iterator[GatewayServer]:
    """The running gateway."""
    folder = tmp_path_factory.mktemp("people")
    gateway = build_gateway(folder, globus_session, GROUPS_CACHE_S="0.5", INTROSPECTION_CACHE_S="0.5")
    with gateway:
        yield gateway


@pytest.fixture
def gateway(served: GatewayServer, globus: GlobusCloud) -> Iterator[GatewayServer]:
    """The gateway at the start of a test: everybody has the role of `tests.people`."""
    yield served
    register(globus, served)


@pytest.fixture
def browser(gateway: GatewayServer) -> Browser:
    """A fresh browser."""
    return Browser(origin_of(gateway))
