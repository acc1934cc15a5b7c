"""A backend that does what a test says, a caller, and a ledger to read: a use case without HTTP, database or Globus."""

import asyncio
import time
from typing import Any

import orjson

from resource_server.accounting.record import RequestRecord
from resource_server.backends.base import Call
from resource_server.domain.catalogue import FederatedRow, Place, Snapshot, build_snapshot
from resource_server.domain.operations import Operation
from resource_server.domain.principal import Principal
from resource_server.domain.standing import Standing
from resource_server.domain.states import ModelState
from resource_server.domain.targets import Target, parse_target
from resource_server.limits.base import Unlimited
from resource_server.services.catalogue import Catalogue
from resource_server.services.inference import Inference, InferenceRequest
from resource_server.services.ledger import Ledger
from resource_server.services.routing import Routing
from resource_server.state.base import State
from resource_server.state.memory import MemoryState

MODEL = "m"
SSE = {"content-type": "text/event-stream"}
ALICE = Principal("sub-of-alice", "alice@a.example", "", "", "app", False, frozenset(), frozenset(), frozenset(), "", 0)


def chunk(content: str = "", finish: str | None = None, index: int = 0) -> bytes:
    choice = {"index": index, "delta": {"content": content} if content else {}, "finish_reason": finish}
    return b"data: " + orjson.dumps({"choices": [choice]}) + b"\n\n"


DONE = b"data: [DONE]\n\n"
WHOLE_STREAM = (chunk("hello"), chunk(finish="stop"), DONE, b"")


class FakeUpstream:
    """Gives its `steps`: bytes, an exception to raise, or a number of seconds to say nothing; then it is silent."""

    def __init__(
        self, *steps: bytes | float | Exception, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        self.status = status
        self.headers = SSE if headers is None else headers
        self.closed = 0
        self.reads = 0
        self._steps = list(steps)

    async def read(self, wait_s: float) -> bytes | None:
        self.reads += 1
        step = self._steps.pop(0) if self._steps else wait_s
        if isinstance(step, Exception):
            raise step
        if isinstance(step, bytes):
            await asyncio.sleep(0)
            return step
        await asyncio.sleep(min(step, wait_s))
        return None

    async def aclose(self) -> None:
        self.closed += 1


class FakeBackend:
    """Opens per cluster what `openings` say: an upstream, an exception, an awaitable of either, or a maker of these.

    Attributes:
        states: of clusters that are not hot.
    """

    starts_models = True

    def __init__(self, **openings: Any) -> None:
        self.openings = openings
        self.calls: list[Call] = []
        self.states: dict[str, ModelState] = {}

    async def open(self, call: Call) -> FakeUpstream:
        self.calls.append(call)
        opening = self.openings[call.target.cluster]
        if callable(opening):
            opening = opening()
        if asyncio.iscoroutine(opening):
            opening = await opening
        if isinstance(opening, Exception):
            raise opening
        assert isinstance(opening, FakeUpstream)
        return opening

    def state(self, target: Target) -> ModelState:
        return self.states.get(target.cluster, ModelState.HOT)

    async def aclose(self) -> None:
        """Nothing to release."""


class FakeCaller:
    """A caller in `group_ids`, or one whose groups cannot be told because of `failure`."""

    principal = ALICE

    def __init__(self, *group_ids: str, failure: Exception | None = None) -> None:
        self._group_ids = frozenset(group_ids)
        self._failure = failure

    async def groups(self) -> frozenset[str]:
        if self._failure is not None:
            raise self._failure
        return self._group_ids


class FixedCatalogue(Catalogue):
    """A snapshot that stays as it is."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._fixed = snapshot

    def snapshot(self) -> Snapshot:
        return self._fixed


def target(cluster: str, **fields: Any) -> Target:
    document = {"backend": "simulated", "cluster": cluster, "framework": "vllm", "model": MODEL, **fields}
    return parse_target(document)


class World:
    """An `Inference` over one federated model on the clusters that `openings` names, in order."""

    def __init__(
        self,
        *,
        max_concurrency: int = 512,
        state: State | None = None,
        owner: str = "worker",
        last_resort: bool = False,
        **openings: Any,
    ) -> None:
        self.records: list[RequestRecord] = []
        self.backend = FakeBackend(**openings)
        limits = {"idle_timeout_s": 0.2, "max_concurrency": max_concurrency}
        row = FederatedRow("m", MODEL, tuple(target(cluster, **limits) for cluster in openings))
        snapshot = build_snapshot((), (), [row])
        self.ledger = Ledger(self.records.append)
        backends = {"simulated": self.backend}
        self.routing = Routing(backends, self._reported, state or MemoryState(), owner, last_resort=last_resort)
        self.inference = Inference(FixedCatalogue(snapshot), backends, Unlimited(), self.routing, hold_max_s=30)

    def _reported(self, place: Place) -> Standing:
        return Standing(self.backend.state(place.target))

    async def ask(
        self,
        *,
        stream: bool = True,
        caller: FakeCaller | None = None,
        client_timeout_s: float | None = None,
        **fields: Any,
    ) -> Any:
        document = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "stream": stream, **fields}
        now = time.perf_counter()
        operation = Operation.CHAT_COMPLETIONS
        entry = self.ledger.open("req_1", operation, now)
        request = InferenceRequest("req_1", now, now, entry, operation, None, orjson.dumps(document), client_timeout_s)
        return await self.inference.answer(caller or FakeCaller(), request)
