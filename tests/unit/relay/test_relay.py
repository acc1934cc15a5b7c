import pytest

from resource_server.relay.relay import open_relay
from resource_server.state.memory import MemoryState
from tests.unit.relay.posts import answer, post

SECRET = b"master"


async def test_relay_without_redis_serves_its_own_streams() -> None:
    relay = await open_relay(MemoryState(), "https://gateway/relay", SECRET, "w1")
    stream = await relay.open("polaris/vllm/llama", 60)
    for body in answer(["hello"]):
        assert (await relay.ingest(stream.stream_id, stream.ticket, body)).status == 200
    assert (await stream.read(1), await stream.read(1)) == (b"hello", b"")
    await relay.aclose()
    assert (await relay.ingest(stream.stream_id, stream.ticket, post(None))).status == 410


async def test_stream_of_an_earlier_process_is_gone() -> None:
    earlier = await open_relay(MemoryState(), "https://gateway/relay", SECRET, "w1")
    stream = await earlier.open("target", 60)
    relay = await open_relay(MemoryState(), "https://gateway/relay", SECRET, "w2")
    assert (await relay.ingest(stream.stream_id, stream.ticket, post(0))).status == 410
    assert (await relay.ingest(stream.stream_id, stream.ticket + "0", post(0))).status == 403
    assert (await relay.ingest(stream.stream_id, stream.ticket, b" " * (1 << 21))).status == 413
    assert not await stream.started(0.01)


@pytest.mark.parametrize("worker_id", ["", "a.b", "a/b", "x" * 65])
async def test_worker_id_that_cannot_stand_in_an_address_is_refused(worker_id: str) -> None:
    with pytest.raises(ValueError, match="worker id"):
        await open_relay(MemoryState(), "https://gateway/relay", SECRET, worker_id)
