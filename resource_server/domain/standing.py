"""Where a target stands: what the ranking, the lists and the headers all read."""

from dataclasses import dataclass

from resource_server.domain.states import ModelState


@dataclass(frozen=True, slots=True)
class Standing:
    """One target's state and what is known around it.

    Attributes:
        state: of the model on this target.
        as_of: POSIX seconds at which it was learned; `None` where nobody has asked yet, and it is tried.
        eta_s: seconds from now until it serves; `None` where nobody knows, and for `hot` without meaning.
        free_nodes: of the cluster; `None` where its scheduler was not asked.
        walltime_left_s: of the job that serves; `None` where there is no job, or no end is known.
    """

    state: ModelState
    as_of: float | None = None
    eta_s: float | None = None
    free_nodes: int | None = None
    walltime_left_s: float | None = None
