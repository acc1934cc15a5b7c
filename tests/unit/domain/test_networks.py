"""Who may read the metrics."""

import pytest

from resource_server.domain.networks import AddressList

ALLOWED = AddressList(["10.1.2.3", "172.16.0.0/12", "::1"])


@pytest.mark.parametrize("address", ["10.1.2.3", "172.18.0.5", "::1", "::ffff:10.1.2.3"])
def test_address_in_the_list_may(address: str) -> None:
    assert address in ALLOWED


@pytest.mark.parametrize("address", ["10.1.2.4", "172.32.0.1", "", "prometheus", "::2"])
def test_any_other_may_not(address: str) -> None:
    assert address not in ALLOWED


def test_list_without_items_lets_nobody_in() -> None:
    assert "127.0.0.1" not in AddressList([])
