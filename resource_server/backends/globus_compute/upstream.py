"""Answers in flight: through the relay, or whole from the task's result."""

import time
from collections.abc import Mapping
from hashlib import sha256

from resource_server.backends.base import UpstreamBroken
from resource_server.backends.globus_compute.flight import Flight
from resource_server.backends.globus_compute.results import Answer, TaskFailed
from resource_server.relay.base import RelayFailed, RelayStream

LOOK_INTERVAL_S = 1.0
"""How often a silent relay is compared with the task's result."""
LAST_MESSAGE_GRACE_S = 3.0
"""How much later than the result the relay's last message may arrive, through another worker."""


class ResultUpstream:
    """An answer that the task's result carried; see `backends.base.Upstream`."""

    def __init__(self, flight: Flight, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self._flight = flight
        self._left = body

    async def read(self, wait_s: float) -> bytes | None:  # noqa: ARG002 - there is nothing to wait for
        """See `backends.base.Upstream.read`."""
        data, self._left = self._left, b""
        return data

    async def aclose(self) -> None:
        """See `backends.base.Upstream.aclose`."""
        await self._flight.aclose()


class RelayedUpstream:
    """An answer that the function relays, with the task's result as the fallback; see `backends.base.Upstream`."""

    def __init__(self, flight: Flight, stream: RelayStream, status: int, headers: Mapping[str, str]) -> None:
        self.status = status
        self.headers = headers
        self._flight = flight
        self._stream = stream
        self._count = 0
        self._digest = sha256()
        self._rest: bytes | None = None
        self._result_seen_at: float | None = None

    async def read(self, wait_s: float) -> bytes | None:
        """See `backends.base.Upstream.read`."""
        until = time.monotonic() + wait_s
        while self._rest is None:
            left_s = min(until - time.monotonic(), self._flight.left_s())
            data = await self._read_relay(min(max(left_s, 0), LOOK_INTERVAL_S))
            if data is not None:
                self._count += len(data)
                self._digest.update(data)
                return data
            self._look_at_result()
            if left_s <= 0:
                return None
        rest, self._rest = self._rest, b""
        return rest

    async def aclose(self) -> None:
        """See `backends.base.Upstream.aclose`."""
        await self._flight.aclose()

    async def _read_relay(self, wait_s: float) -> bytes | None:
        try:
            return await self._stream.read(wait_s)
        except RelayFailed as exc:
            raise UpstreamBroken(f"the relayed answer broke off: {exc}") from exc

    def _look_at_result(self) -> None:
        """Where the relay is silent: see whether the task has ended, and whether its function still lives."""
        try:
            answer = self._flight.find_answer()
        except TaskFailed as exc:
            raise UpstreamBroken(f"the task failed within its answer: {exc}") from exc
        if answer is None:
            if self._flight.is_silent():
                raise UpstreamBroken("the function fell silent within its answer")
        elif answer.body is not None:
            self._rest = self._find_rest(answer)
        else:
            self._result_seen_at = self._result_seen_at or time.monotonic()
            if time.monotonic() - self._result_seen_at > LAST_MESSAGE_GRACE_S:
                raise UpstreamBroken("the task succeeded, yet the relayed answer has no end")

    def _find_rest(self, answer: Answer) -> bytes:
        """What the relay still owes, from a result that carries the whole body because the relay was lost."""
        body = answer.body or b""
        if answer.status != self.status or sha256(body[: self._count]).digest() != self._digest.digest():
            raise UpstreamBroken("the task's result contradicts what was relayed")
        return body[self._count :]
