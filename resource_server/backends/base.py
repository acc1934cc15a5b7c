"""The seam between the gateway and wherever a model runs.

A backend opens one upstream answer for one call. What it gives back is read with a bounded wait, so that whoever
relays it can send heartbeats and notice silence without cancelling anything.

What a backend raises:

BackendFailure
├── UpstreamUnavailable   nothing reached the client: another target may be tried
│   ├── UpstreamSaturated      … because this gateway already has its share of requests there
│   └── UpstreamIncompatible   … because its operators have to change something
├── UpstreamBroken        the answer began and did not end: only an error is honest now
└── UpstreamTimeout       the call's deadline passed
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from resource_server.domain.operations import Operation
from resource_server.domain.states import ModelState
from resource_server.domain.targets import Target


class BackendFailure(Exception):
    """The upstream failed us. The text is for logs, never for clients."""


class UpstreamUnavailable(BackendFailure):
    """The upstream refused, is offline, or failed before a content byte; trying elsewhere is safe."""


class UpstreamSaturated(UpstreamUnavailable):
    """The target's `max_concurrency` is reached; if every candidate says so, the answer is ``overloaded``."""


class UpstreamIncompatible(UpstreamUnavailable):
    """The target is set up in a way that cannot work. Unlike the others' its text is a sentence for clients too."""


class UpstreamBroken(BackendFailure):
    """The answer began and broke off, or contradicts itself."""


class UpstreamTimeout(BackendFailure):
    """The call's deadline passed."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request for one target.

    Attributes:
        request_id: the gateway's own id, for logs on both sides.
        target: the catalogue row's canonical values.
        operation: what to ask of the framework.
        body: the JSON object to send, canonical model name included.
        stream: whether the body asks for a stream.
        deadline: `time.monotonic()` value after which nobody waits any more.
        begin_within_s: how long the work may take to begin before another target is worth a try; `None` where there
            is no other, or the model is not hot.
        traceparent: of the attempt's span, for the framework; empty where nothing is traced.
    """

    request_id: str
    target: Target
    operation: Operation
    body: bytes
    stream: bool
    deadline: float
    begin_within_s: float | None = None
    traceparent: str = ""


class Upstream(Protocol):
    """One answer in flight. Whoever holds it closes it; closing early cancels the work upstream within 2 s."""

    @property
    def status(self) -> int:
        """The framework's HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Lower-case names; at least ``content-type``."""
        ...

    async def read(self, wait_s: float) -> bytes | None:
        """The next bytes of the body, in order, as many as there are.

        Returns ``b""`` at the honest end of the answer and `None` when nothing came within `wait_s` seconds.

        Raises:
            UpstreamBroken: the connection or the stream ended without its end.
            UpstreamTimeout: the call's deadline passed.
        """
        ...

    async def aclose(self) -> None:
        """Release everything; cancel what still runs. Idempotent, and never raises."""
        ...


class Backend(Protocol):
    """One kind of place where models run.

    Attributes:
        starts_models: a call to a model that is not hot makes it start, and is answered once it is.
    """

    starts_models: bool

    async def open(self, call: Call) -> Upstream:
        """Send the call and wait for the answer's status.

        Any status is an answer: turning a framework's 4xx or 5xx into an error is the caller's business.

        Raises:
            UpstreamUnavailable: no answer has begun; another target may be tried.
            UpstreamTimeout: the call's deadline passed.
        """
        ...

    def state(self, target: Target) -> ModelState:
        """The target's state from memory: never asks anybody. Never polled counts as hot and is tried."""
        ...

    async def aclose(self) -> None:
        """Release everything the backend holds."""
        ...


class FunctionRunner(Protocol):
    """An ability of backends that reach registered functions."""

    async def run_function(self, endpoint_uuid: str, function_uuid: str, deadline: float) -> str:
        """What a function without arguments returned, as untrusted JSON text.

        Raises:
            UpstreamUnavailable: it was not run, or failed, or returned something that is not JSON.
            UpstreamTimeout: `deadline` (`time.monotonic()`) passed.
        """
        ...
