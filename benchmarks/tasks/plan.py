"""What a task generator is asked to do; it crosses a process boundary as JSON."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benchmarks.statistics import quantile

STRAGGLER_S = 15.0
"""How long results are waited for after the last task was submitted."""

FUNCTION = '''
import json

def answer(payload):
    """Answers at once, as a framework would; what is measured is the way there and back."""
    message = {"role": "assistant", "content": "Europa."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "chatcmpl-0", "object": "chat.completion", "model": "m", "choices": [choice]})
'''


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One point of the measurement: tasks at a steady rate, whatever becomes of those before.

    Attributes:
        service_url: the Compute web service.
        endpoint_ids: the tasks go to them in turn.
        function_id: `FUNCTION`, registered.
        rate_per_s: how many tasks are handed over per second.
        seconds: for how long.
    """

    service_url: str
    client_id: str
    client_secret: str
    endpoint_ids: Sequence[str]
    function_id: str
    rate_per_s: float
    seconds: float

    def encode(self) -> str:
        """The plan as JSON."""
        return json.dumps(asdict(self))

    @property
    def tasks(self) -> int:
        """How many there are."""
        return max(math.ceil(self.rate_per_s * self.seconds), 1)


def decode_task_plan(text: str) -> TaskPlan:
    """The inverse of `TaskPlan.encode`."""
    return TaskPlan(**json.loads(text))


def summarise(tasks: int, durations_s: Sequence[float]) -> dict[str, float]:
    """What became of `tasks` tasks, `durations_s` being those of the ones that came back with their answer."""
    ordered = sorted(durations_s)
    found: dict[str, float] = {"requests": tasks, "failures": tasks - len(ordered)}
    if ordered:
        found |= {"p50_ms": quantile(ordered, 0.5) * 1000, "p95_ms": quantile(ordered, 0.95) * 1000}
    return found
