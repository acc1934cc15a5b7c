"""What the Compute service remembers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

HEARTBEATS_MISSED = 3


class TaskState(StrEnum):
    """Where a task is, in the words of the service."""

    RECEIVED = "received"
    WAITING_FOR_EP = "waiting-for-ep"
    WAITING_FOR_NODES = "waiting-for-nodes"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"


TERMINAL = frozenset({TaskState.SUCCESS, TaskState.FAILED})


@dataclass(slots=True, kw_only=True)
class Function:
    """A registered function. `code` is as registered, `packed` what endpoints get."""

    id: str
    owner_id: str
    name: str
    code: str = field(repr=False)
    packed: str = field(repr=False)
    serialized: bool = True
    public: bool = False
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Endpoint:
    """A registered compute endpoint.

    Attributes:
        embedded: run by this process, not by an agent.
        allowed_functions: the only functions it may run; `None` for all.
        parent_id: the template endpoint that it was started from, with `config`; `None` for what users registered.
        heartbeat: the last one's `global_state`; `None` before the first.
        online_until: monotonic time in seconds at which silence means offline.
        started_at: monotonic time in seconds of the last command to start it.
    """

    id: str
    owner_id: str
    name: str
    display_name: str | None = None
    embedded: bool = False
    multi_user: bool = False
    public: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    allowed_functions: frozenset[str] | None = None
    parent_id: str | None = None
    heartbeat: Mapping[str, Any] | None = None
    online_until: float = 0.0
    started_at: float = float("-inf")

    def hear(self, state: Mapping[str, Any], now: float) -> None:
        """Take a heartbeat in. A period of 0, or `active: false`, says that it is going down."""
        self.heartbeat = state
        period = state.get("heartbeat_period")
        period_s = period if isinstance(period, int | float) else 0.0
        going_down = state.get("active") is False or "error" in state
        self.online_until = now if going_down else now + HEARTBEATS_MISSED * period_s

    def is_online(self, now: float) -> bool:
        """Whether it was heard recently enough."""
        return now < self.online_until


@dataclass(slots=True, kw_only=True)
class Task:
    """One invocation. `result` or `exception` is set once it is complete, at POSIX time `completed_at`."""

    id: str
    owner_id: str
    function_id: str
    endpoint_id: str
    group_id: str
    state: TaskState = TaskState.RECEIVED
    result: str | None = field(default=None, repr=False)
    exception: str | None = field(default=None, repr=False)
    details: Mapping[str, Any] | None = None
    completed_at: float | None = None

    @property
    def is_complete(self) -> bool:
        """Whether a result was accepted."""
        return self.state in TERMINAL

    def complete(self, data: Mapping[str, Any], now: float) -> bool:
        """Accept a result message's data; False if there was one already: the first wins."""
        if self.is_complete:
            return False
        failed = data.get("error_details") is not None
        self.state = TaskState.FAILED if failed else TaskState.SUCCESS
        if failed:
            self.exception = data["data"]
        else:
            self.result = data["data"]
        self.details = data.get("details")
        self.completed_at = now
        return True


@dataclass(slots=True, kw_only=True)
class TaskGroup:
    """Tasks whose results go to one queue, if the client asked for one."""

    id: str
    owner_id: str
    task_ids: list[str] = field(default_factory=list)
    has_queue: bool = False
