"""One call to Globus, timed and counted."""

import time
from types import TracebackType
from typing import Self

from resource_server.telemetry.series import GLOBUS_CALL_DURATION, GLOBUS_CALLS


class GlobusCall:
    """Counts what its ``with`` does as one call; by an exception it has failed, unless `refused` says otherwise.

    Args:
        operation: one of the label's values.
    """

    def __init__(self, operation: str) -> None:
        self._operation = operation
        self._outcome = ""

    def refused(self) -> None:
        """Globus answered, and said no."""
        self._outcome = "refused"

    def __enter__(self) -> Self:
        self._began_at = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        outcome = self._outcome or ("answered" if error is None else "failed")
        GLOBUS_CALLS.inc(self._operation, outcome)
        GLOBUS_CALL_DURATION.observe(self._operation, amount=time.perf_counter() - self._began_at)
