"""The gateway with its models behind Globus Compute, one per worker."""

from collections.abc import Iterator

import openai
import pytest

from tests.e2e.compute_site import (
    OFFLINE,
    Endpoints,
    Functions,
    Rows,
    Site,
    build_gateway,
    build_rows,
    create_endpoints,
    find_status,
    register_functions,
    running_site,
    wait_online,
    wait_until,
)
from tests.framework import Framework
from tests.globus_cloud import GlobusCloud


@pytest.fixture(scope="session")
def compute_functions(globus_session: GlobusCloud, tmp_path_factory: pytest.TempPathFactory) -> Functions:
    return register_functions(globus_session, tmp_path_factory.mktemp("functions"))


@pytest.fixture(scope="session")
def compute_endpoints(globus_session: GlobusCloud) -> Endpoints:
    return create_endpoints(globus_session)


@pytest.fixture(scope="session")
def site_session(
    globus_session: GlobusCloud,
    compute_endpoints: Endpoints,
    compute_functions: Functions,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    gateway = build_gateway(globus_session, tmp_path_factory.mktemp("site"))

    def build(framework: Framework) -> Rows:
        wait_online(globus_session, compute_endpoints.working, compute_endpoints.old)
        return build_rows(framework, compute_functions, compute_endpoints)

    with running_site(globus_session, gateway, build) as site:
        assert wait_until(lambda: find_status(site, OFFLINE) == "offline", 4)
        yield site


@pytest.fixture
def site(site_session: Site, globus: GlobusCloud) -> Site:
    """The site with a cloud that behaves well; whatever the test makes it do ends with the test."""
    return site_session


@pytest.fixture
def client(site: Site) -> Iterator[openai.OpenAI]:
    with site.open_client() as client:
        yield client
