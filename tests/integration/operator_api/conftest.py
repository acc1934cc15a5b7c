"""Who stands in front of the operator API."""

import pytest

from resource_server.sign_in.permissions import OPERATOR
from tests.integration.operator_api.clients import Api, build_people, build_user


@pytest.fixture
def people(db: None) -> dict[str, Api]:
    """Everybody of the table of roles, by name."""
    return build_people()


@pytest.fixture
def operator(db: None) -> Api:
    """Who changes the catalogue."""
    return Api(build_user("operator", OPERATOR, is_staff=True))
