"""The inference function as a worker has it: text, executed in an empty namespace."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.compute_functions.servers import Exchange, RelayServer, Server, serve

FUNCTION_FILE = Path(__file__).parents[2] / "compute-functions" / "vllm_register_function.py"
Ask = Callable[..., dict[str, Any]]
AskLater = Callable[..., Future[dict[str, Any]]]
Framework = Callable[[Callable[[Exchange], None]], Server]


def load(**constants: float) -> dict[str, Any]:
    """The names of the function's file, with some constants changed for impatient tests."""
    namespace: dict[str, Any] = {}
    exec(FUNCTION_FILE.read_text(encoding="utf-8"), namespace)  # noqa: S102 - what the SDK does on a worker
    namespace.update(constants)
    return namespace


@pytest.fixture(scope="session")
def function_with() -> Callable[..., Callable[[object], str]]:
    return lambda **constants: load(**constants)["vllm_inference_function"]


@pytest.fixture(scope="session")
def function(function_with: Callable[..., Callable[[object], str]]) -> Callable[[object], str]:
    return function_with()


@pytest.fixture
def ask(function: Callable[[object], str]) -> Ask:
    """Call the function with a body for the framework at `port`; returns its result, decoded."""

    def call(port: int, relay: RelayServer | None = None, **body: object) -> dict[str, Any]:
        payload: dict[str, object] = {
            "model_params": {"openai_endpoint": "chat/completions", "api_port": port, **body},
            "gateway_request_id": "req_1",
        }
        if relay is not None:
            payload["relay"] = relay.address
        document = json.loads(function(payload))
        assert isinstance(document, dict)
        return document

    return call


@pytest.fixture
def ask_later(ask: Ask) -> Iterator[AskLater]:
    """The same in a thread of its own."""
    with ThreadPoolExecutor(4) as pool:
        yield lambda *args, **kwargs: pool.submit(ask, *args, **kwargs)


@pytest.fixture
def framework() -> Iterator[Framework]:
    """Starts frameworks that answer as told."""
    opened = []

    def start(answer: Callable[[Exchange], None]) -> Server:
        manager = serve(answer)
        opened.append(manager)
        return manager.__enter__()

    yield start
    for manager in opened:
        manager.__exit__(None, None, None)


@pytest.fixture
def relay() -> Iterator[RelayServer]:
    receiver = RelayServer()
    with serve(receiver.answer) as server:
        receiver.port = server.port
        yield receiver


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the machine that runs the tests stands between."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
