"""How this process uses Globus Compute."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobusComputeSettings:
    """Who we are at the service, what it allows, and how long we wait.

    Attributes:
        client_id: the service account's client UUID; empty if there is none, and every target is unavailable.
        client_secret: its secret.
        service_url: address of the web service; empty for the one that the SDK's environment names.
        relay_enabled: whether compute nodes can reach our relay; without it answers come in the task's result.
        interval_s: seconds between calls that the service allows on average: 20 in 10 s.
        micro_batch_s: how long the first task of a submission waits for company.
        submission_bytes: a submission is split above this, measured as it is sent.
        max_queued: tasks waiting to be submitted, above which more are refused.
        api_timeout_s: connect and read timeout of a call of the web service.
        status_interval_s: how often an endpoint's status is asked for.
        silence_timeout_s: how long a function that has started may give no sign of life.
        overdue_after_s: age at which a task's result is asked for, in case its message was lost.
    """

    client_id: str
    client_secret: str = field(repr=False)
    service_url: str = ""
    relay_enabled: bool = True
    interval_s: float = 0.5
    micro_batch_s: float = 0.01
    submission_bytes: int = 8 << 20
    max_queued: int = 2_000
    api_timeout_s: float = 5.0
    status_interval_s: float = 30.0
    silence_timeout_s: float = 20.0
    overdue_after_s: float = 5.0
