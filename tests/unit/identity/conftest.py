"""A verifier before a scripted Globus, with time standing still."""

from collections.abc import AsyncIterator

import pytest

from resource_server.identity.verifier import Verifier
from resource_server.state.memory import MemoryKeyValue
from tests.unit.identity.fakes import GROUP, SECRET, Build, ManualClock, ScriptedGlobus, build_document, build_settings


@pytest.fixture
def time() -> ManualClock:
    return ManualClock()


@pytest.fixture
def globus() -> ScriptedGlobus:
    scripted = ScriptedGlobus()
    scripted.documents["alice-token"] = build_document()
    scripted.groups["alice-token"] = [GROUP]
    return scripted


@pytest.fixture
def key_value(time: ManualClock) -> MemoryKeyValue:
    """What the workers share."""
    return MemoryKeyValue(clock=lambda: time.monotonic)


@pytest.fixture
async def build(time: ManualClock, globus: ScriptedGlobus, key_value: MemoryKeyValue) -> AsyncIterator[Build]:
    """Verifiers of one installation; each call is another worker."""
    verifiers: list[Verifier] = []

    def build_verifier(secret: bytes = SECRET, **changes: object) -> Verifier:
        verifiers.append(Verifier(build_settings(**changes), globus, key_value, secret, time.clock()))
        return verifiers[-1]

    yield build_verifier
    for verifier in verifiers:
        await verifier.aclose()
