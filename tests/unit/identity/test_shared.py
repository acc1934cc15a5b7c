"""What stands in Redis is believed only where it is ours, about this token, and of this kind."""

from resource_server.identity.shared import SharedAnswer, SharedCache
from resource_server.state.memory import MemoryKeyValue
from tests.unit.identity.fakes import NOON, SECRET

HASH, OTHER_HASH = "a" * 64, "b" * 64
NAME = f"identity:token:{HASH}"


def build_cache(key_value: MemoryKeyValue, secret: bytes = SECRET, context: str = "app") -> SharedCache:
    return SharedCache(key_value, secret, context, lambda: NOON)


async def stored(value: object = 1, asked_at: float = NOON) -> tuple[MemoryKeyValue, bytes]:
    """A store with one entry, and the entry's bytes."""
    key_value = MemoryKeyValue()
    await build_cache(key_value).put("token", HASH, value, asked_at, 60.0)
    sealed = await key_value.get(NAME)
    assert sealed is not None
    return key_value, sealed


async def test_value_reads_back_with_its_age() -> None:
    key_value, _ = await stored({"active": True}, NOON - 12)
    assert await build_cache(key_value).get("token", HASH) == SharedAnswer({"active": True}, NOON - 12)


async def test_every_changed_byte_is_noticed() -> None:
    key_value, sealed = await stored()
    for position in range(len(sealed)):
        if sealed[position : position + 1] == b".":
            continue
        forged = sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :]
        await key_value.set(NAME, forged, 60.0)
        assert await build_cache(key_value).get("token", HASH) is None, position


async def test_garbage_is_no_value() -> None:
    key_value = MemoryKeyValue()
    for garbage in (b"", b"x", b"\x80\x04K\x01.", b"." * 200, b"\xff" * 1000, b"{}" * 300_000):
        await key_value.set(NAME, garbage, 60.0)
        assert await build_cache(key_value).get("token", HASH) is None


async def test_entry_under_another_name_is_no_value() -> None:
    key_value, sealed = await stored()
    await key_value.set(f"identity:token:{OTHER_HASH}", sealed, 60.0)
    await key_value.set(f"identity:groups:{HASH}", sealed, 60.0)
    assert await build_cache(key_value).get("token", OTHER_HASH) is None
    assert await build_cache(key_value).get("groups", HASH) is None


async def test_entry_of_another_installation_or_other_policies_is_no_value() -> None:
    key_value, _ = await stored()
    assert await build_cache(key_value, secret=b"other").get("token", HASH) is None
    assert await build_cache(key_value, context="app policy").get("token", HASH) is None


async def test_entry_from_the_future_is_no_value() -> None:
    key_value, _ = await stored(asked_at=NOON + 5)
    assert await build_cache(key_value).get("token", HASH) is not None
    key_value, _ = await stored(asked_at=NOON + 6)
    assert await build_cache(key_value).get("token", HASH) is None


async def test_what_is_over_or_too_long_is_not_stored() -> None:
    key_value = MemoryKeyValue()
    await build_cache(key_value).put("token", HASH, 1, NOON, 0.0)
    await build_cache(key_value).put("token", HASH, "x" * (1 << 19), NOON, 60.0)
    assert await key_value.get(NAME) is None
