"""The backend for models that are reached by registered functions on Globus Compute endpoints."""

import asyncio
import time
from collections.abc import Callable, Iterable

from resource_server.backends.base import Call, Upstream, UpstreamSaturated, UpstreamTimeout, UpstreamUnavailable
from resource_server.backends.globus_compute.client import SDKComputeService
from resource_server.backends.globus_compute.consumer import ResultConsumer
from resource_server.backends.globus_compute.flight import Flight
from resource_server.backends.globus_compute.opening import open_relayed, open_result
from resource_server.backends.globus_compute.pacing import Pacing
from resource_server.backends.globus_compute.payload import NO_ARGUMENTS, build_payload, pack_arguments
from resource_server.backends.globus_compute.reconciler import Reconciler
from resource_server.backends.globus_compute.results import TaskFailed, parse_text
from resource_server.backends.globus_compute.service import ComputeService
from resource_server.backends.globus_compute.settings import GlobusComputeSettings
from resource_server.backends.globus_compute.status import EndpointStatus
from resource_server.backends.globus_compute.submitter import Submitter
from resource_server.backends.globus_compute.tasks import Tasks
from resource_server.domain.states import ModelState
from resource_server.domain.targets import GlobusComputeTarget, Target, target_key
from resource_server.relay.base import Relay, RelayFailed, RelayStream
from resource_server.state.background import Background
from resource_server.state.base import State
from resource_server.telemetry.series import GLOBUS_BUDGET

NO_SERVICE_ACCOUNT = "no service account: set SERVICE_ACCOUNT_ID and SERVICE_ACCOUNT_SECRET"
TICKET_GRACE_S = 60.0
"""A ticket outlives its call by this much: compute nodes' clocks and last messages may be late."""


class GlobusComputeBackend:
    """See `backends.base.Backend`. `start` begins the background work, inside the running loop.

    Args:
        settings: without a client id every target is unavailable, and nothing runs in the background.
        relay: by which functions stream.
        state: what the workers share: the pace, the endpoints' status.
        targets: the catalogue's targets, now; those of other backends are ignored.
        service: the web service, if it is not to be reached by the SDK.
    """

    starts_models = True

    def __init__(
        self,
        settings: GlobusComputeSettings,
        relay: Relay,
        state: State,
        targets: Callable[[], Iterable[Target]],
        service: ComputeService | None = None,
    ) -> None:
        self._settings = settings
        self._relay = relay
        self._targets = targets
        self._service = service or SDKComputeService(settings)
        self._pacing = pacing = Pacing(state.pacer, settings.client_id, settings.interval_s)
        self._tasks = Tasks(settings.overdue_after_s)
        self._consumer = ResultConsumer(self._service, pacing, self._tasks)
        self._submitter = Submitter(self._service, pacing, self._tasks, settings, self._consumer.follow)
        self._reconciler = Reconciler(self._service, pacing, self._tasks)
        self._status = EndpointStatus(self._service, pacing, state, self._endpoint_ids, settings.status_interval_s)
        self._background = Background()

    def start(self) -> None:
        """Begin to submit, to consume results, to ask for lost ones and for the endpoints' status."""
        if self._settings.client_id:
            GLOBUS_BUDGET.set(to=self._pacing.calls_per_s)
            self._submitter.start()
            self._background.start("globus-compute-results", self._consumer.run())
            self._background.start("globus-compute-reconciler", self._reconciler.run())
            self._background.start("globus-compute-status", self._status.run())

    async def open(self, call: Call) -> Upstream:
        """Submit the call and wait for its answer's status; see `backends.base.Backend.open`."""
        target = _check_target(call.target)
        if not self._settings.client_id:
            raise UpstreamUnavailable(NO_SERVICE_ACCOUNT)
        if self._status.is_offline(target.endpoint_uuid):
            raise UpstreamUnavailable(f"the compute endpoint {target.endpoint_uuid} is offline")
        flight = Flight(call, self._settings, self._land)
        upstream = None
        try:
            upstream = await self._fly(flight, target)
        finally:
            if upstream is None:
                await flight.aclose()
        self._status.note_online(target.endpoint_uuid)
        return upstream

    async def run_function(self, endpoint_uuid: str, function_uuid: str, deadline: float) -> str:
        """See `backends.base.FunctionRunner`."""
        if not self._settings.client_id:
            raise UpstreamUnavailable(NO_SERVICE_ACCOUNT)
        task = await self._submitter.submit((endpoint_uuid, function_uuid), NO_ARGUMENTS, None, deadline)
        try:
            await asyncio.wait({task.result}, timeout=deadline - time.monotonic())
            if not task.result.done():
                raise UpstreamTimeout("the deadline passed before the function had returned")
            return parse_text(task.result.result())
        except TaskFailed as exc:
            raise UpstreamUnavailable(str(exc)) from exc
        finally:
            self._tasks.forget(task)

    def state(self, target: Target) -> ModelState:
        """`offline` while the compute endpoint is known to be, else `hot`."""
        is_offline = self._status.is_offline(_check_target(target).endpoint_uuid)
        return ModelState.OFFLINE if is_offline else ModelState.HOT

    async def aclose(self) -> None:
        """Stop the background work and close connections; calls in flight are told by their own waits."""
        await self._background.aclose()
        await self._submitter.aclose()
        await self._service.aclose()

    async def _fly(self, flight: Flight, target: GlobusComputeTarget) -> Upstream:
        flight.stream = stream = await self._open_stream(flight.call, target, flight.left_s())
        arguments = pack_arguments(build_payload(flight.call, target, stream))
        destination = (target.endpoint_uuid, target.function_uuid)
        flight.task = await self._submitter.submit(destination, arguments, stream, flight.call.deadline)
        return await open_result(flight) if stream is None else await open_relayed(flight, stream)

    async def _open_stream(self, call: Call, target: GlobusComputeTarget, left_s: float) -> RelayStream | None:
        if not (target.relay and self._settings.relay_enabled):
            return None
        try:
            return await self._relay.open(target_key(call.target), left_s + TICKET_GRACE_S)
        except RelayFailed as exc:
            raise UpstreamSaturated(str(exc)) from exc

    def _land(self, flight: Flight) -> None:
        if flight.task is not None:
            self._tasks.forget(flight.task)

    def _endpoint_ids(self) -> list[str]:
        return [target.endpoint_uuid for target in self._targets() if isinstance(target, GlobusComputeTarget)]


def _check_target(target: Target) -> GlobusComputeTarget:
    if not isinstance(target, GlobusComputeTarget):
        raise TypeError(f"no globus_compute target: {target!r}")
    return target
