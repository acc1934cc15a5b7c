"""What no test may do to the event loop: block it, or leave tasks on it."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator

import pytest
from blockbuster import BlockBuster

# Calls are looked for below code of ours; what a test itself does between awaits harms nobody.
_WATCHED = ["resource_server", "inference_gateway", "globus_local"]

# Calls that the detector knows and that are right where they are: (its name, file, functions).
_ALLOWED = (
    # A log line is written where it is logged; stderr is a pipe or a file.
    ("io.TextIOWrapper.write", "logging/__init__.py", {"emit"}),
)


def allow_known_calls(blockbuster: BlockBuster) -> None:
    """Let the detector pass what is right where it is."""
    for name, file, functions in _ALLOWED:
        blockbuster.functions[name].can_block_in(file, functions)
    for function in blockbuster.functions.values():
        function.can_block_in("resource_server/wiring.py", {"open_gateway"})  # start-up: nobody is served yet


@pytest.fixture(scope="session", autouse=True)
def no_blocking_calls() -> Iterator[None]:
    """A call that blocks the running loop raises `BlockingError`. Threads and code without a loop are free to."""
    blockbuster = BlockBuster(_WATCHED)
    allow_known_calls(blockbuster)
    blockbuster.activate()
    yield
    blockbuster.deactivate()


@pytest.fixture(autouse=True)
def no_leaked_tasks(request: pytest.FixtureRequest) -> None:
    """A test that leaves tasks running fails: set up first, so it looks after all other fixtures have closed."""
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("_tasks_of_the_loop")


@pytest.fixture
async def _tasks_of_the_loop() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    # One turn lets cancelled tasks end, and callbacks of closed transports run.
    await asyncio.sleep(0)
    left = {task for task in asyncio.all_tasks() - before if not task.done()} - {asyncio.current_task()}
    if left:
        pytest.fail(f"the test left {len(left)} running tasks: {', '.join(repr(task) for task in left)}")
