"""Addresses that may do something others may not."""

import ipaddress
from collections.abc import Iterable


class AddressList:
    """Single addresses and whole networks; `in` says whether an address is among them."""

    def __init__(self, items: Iterable[str]) -> None:
        """Parse `items`, such as ``10.1.2.3`` or ``172.16.0.0/12``. Raises `ValueError`."""
        self._networks = tuple(ipaddress.ip_network(item) for item in items)

    def __contains__(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:  # a local socket's peer has none
            return False
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(parsed in network for network in self._networks)
