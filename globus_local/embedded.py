import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from globus_local.admin_client import Admin
from globus_local.cloud import Cloud, Settings
from globus_local.server import serving

START_TIMEOUT_S = 30.0


@contextlib.contextmanager
def running(settings: Settings | None = None) -> Iterator[tuple[Cloud, Admin]]:
    """Run a cloud in a thread of this process, for as long as the context lasts.

    The cloud belongs to its thread: read from it what never changes, and change things through the admin.

    Raises:
        NotLoopbackError: the settings name an address that is not a loopback address.
        OSError: the port is taken.
        TimeoutError: it did not start in time.
    """
    cloud = Cloud(settings)
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    settled = threading.Event()

    async def serve() -> None:
        async with serving(cloud):
            settled.set()
            await stop.wait()

    with ThreadPoolExecutor(1, "globus-local") as pool, contextlib.closing(loop):
        run = pool.submit(loop.run_until_complete, serve())
        run.add_done_callback(lambda _: settled.set())
        try:
            if not settled.wait(START_TIMEOUT_S):
                raise TimeoutError("globus_local did not start")
            if run.done():
                run.result()  # raises what kept it from starting
            yield cloud, Admin(cloud.base_url, cloud.admin_token)
        finally:
            loop.call_soon_threadsafe(stop.set)
            run.exception()  # waits until it has ended
