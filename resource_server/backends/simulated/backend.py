"""The backend that answers by itself."""

import orjson

from resource_server.backends.base import Call
from resource_server.backends.simulated.answers import build_answer
from resource_server.backends.simulated.embeddings import build_embeddings
from resource_server.backends.simulated.faults import apply_fault, find_state
from resource_server.backends.simulated.job import SimulatedJobs
from resource_server.backends.simulated.prompts import Refused, parse_generation
from resource_server.backends.simulated.script import Script, build_error
from resource_server.backends.simulated.upstream import SimulatedUpstream
from resource_server.domain.operations import Operation
from resource_server.domain.states import ModelState
from resource_server.domain.targets import SimulatedTarget, Target


class SimulatedBackend:
    """See `backends.base.Backend`. A chat's answer repeats the words of its last message, one token a word.

    Attributes:
        tokens_produced: by all answers so far; it stands still for answers that were closed.
        jobs: of targets that are cold at first.
    """

    starts_models = True

    def __init__(self) -> None:
        self.tokens_produced = 0
        self.jobs = SimulatedJobs()

    async def open(self, call: Call) -> SimulatedUpstream:
        """Read the body as a framework would, and begin to answer; see `backends.base.Backend.open`."""
        if not isinstance(call.target, SimulatedTarget):
            raise TypeError(f"no simulated target: {call.target!r}")
        await self.jobs.use(call.target, call.deadline)
        script = apply_fault(call.target.model, _build_script(call, call.target))
        upstream = SimulatedUpstream(script, deadline=call.deadline, count_tokens=self._count_tokens)
        await upstream.open()
        return upstream

    def state(self, target: Target) -> ModelState:
        """`hot`, unless the model's name is ``fault/<state>``, or its job must be started first."""
        if not isinstance(target, SimulatedTarget):
            raise TypeError(f"no simulated target: {target!r}")
        return find_state(target.model) or self.jobs.state(target)

    async def aclose(self) -> None:
        """Nothing to release."""

    def _count_tokens(self, tokens: int) -> None:
        self.tokens_produced += tokens


def _build_script(call: Call, target: SimulatedTarget) -> Script:
    document = orjson.loads(call.body)
    try:
        if call.operation is Operation.EMBEDDINGS:
            return build_embeddings(document, target)
        generation = parse_generation(document, call.operation, target)
    except Refused as exc:
        return build_error(400, str(exc), exc.param)
    include_usage = bool((document.get("stream_options") or {}).get("include_usage"))
    return build_answer(call, target, generation, include_usage=include_usage)
