import asyncio
import contextlib
import threading
from collections.abc import Iterator

from globus_local.admin_client import Admin
from globus_local.cloud import Cloud, Settings
from globus_local.server import serving

START_TIMEOUT_S = 30.0


@contextlib.contextmanager
def running(settings: Settings | None = None) -> Iterator[tuple[Cloud, Admin]]:
    """Run a cloud in a thread of this process, for as long as the context lasts.

    The cloud belongs to its thread: read from it what never changes, and change things through the admin.

    Raises:
        OSError: the port is taken.
    """
    cloud = Cloud(settings)
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    failures: list[OSError] = []

    async def serve() -> None:
        async with serving(cloud):
            started.set()
            await stop.wait()

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        except OSError as exc:
            failures.append(exc)
        finally:
            started.set()
            loop.close()

    thread = threading.Thread(target=run, name="globus-local", daemon=True)
    thread.start()
    try:
        if not started.wait(START_TIMEOUT_S):
            raise TimeoutError("globus_local did not start")
        if failures:
            raise failures[0]
        yield cloud, Admin(cloud.base_url, cloud.admin_token)
    finally:
        with contextlib.suppress(RuntimeError):  # the loop is closed where the start failed
            loop.call_soon_threadsafe(stop.set)
        thread.join(START_TIMEOUT_S)
