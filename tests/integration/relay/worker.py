"""A worker in a process of its own: opens one stream, says its name, and waits to be killed.

Arguments: the address of Redis, the master secret, the worker's id.
"""

import asyncio
import sys

from resource_server.relay.relay import open_relay
from resource_server.state.build import open_state


async def main(redis_url: str, secret: str, worker_id: str) -> None:
    """Serve until killed."""
    state = await open_state(redis_url, workers=2)
    relay = await open_relay(state, "https://gateway/relay", secret.encode(), worker_id)
    stream = await relay.open("target", 60)
    sys.stdout.write(f"{stream.stream_id} {stream.ticket}\n")
    sys.stdout.flush()
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
