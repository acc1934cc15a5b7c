"""How long models take to start, learned from what was seen of their jobs."""

from collections.abc import Mapping

from resource_server.domain.catalogue import Key
from resource_server.domain.states import ModelState

_WEIGHT = 0.3
MAX_KEYS = 5_000
LONGEST_S = 24 * 3600.0


class Durations:
    """Seconds from a job's start to its model serving, per (cluster, framework, model), averaged over starts."""

    def __init__(self) -> None:
        self._learned: dict[Key, float] = {}
        self._began: dict[Key, float] = {}

    def find(self, key: Key) -> float | None:
        """What a start takes; `None` before the first was seen."""
        return self._learned.get(key)

    def began_at(self, key: Key) -> float | None:
        """POSIX seconds at which the start that is under way was first seen; `None` where there is none."""
        return self._began.get(key)

    def learn(self, cluster: str, states: Mapping[Key, ModelState], as_of: float) -> None:
        """Take in the cluster's newest states; a start counts that was seen to begin and to end."""
        for key in [key for key in self._began if key[0] == cluster and key not in states]:
            del self._began[key]
        for key, state in states.items():
            if state is ModelState.STARTING and len(self._began) < MAX_KEYS:
                self._began.setdefault(key, as_of)
            elif state is ModelState.HOT and (began_at := self._began.pop(key, None)) is not None:
                self._note(key, as_of - began_at)

    def encode(self) -> list[list[object]]:
        """For other processes, as JSON."""
        return [[*key, seconds, self._began.get(key)] for key, seconds in self._learned.items()]

    def update(self, entries: object) -> None:
        """Take over what `encode` gave; what is malformed is passed over."""
        for entry in entries[:MAX_KEYS] if isinstance(entries, list) else ():
            match entry:
                case [str() as cluster, str() as framework, str() as model, float() | int() as seconds, began]:
                    key = (cluster, framework, model)
                    if 0 <= seconds <= LONGEST_S:
                        self._learned[key] = float(seconds)
                    if isinstance(began, float):
                        self._began[key] = began

    def _note(self, key: Key, seconds: float) -> None:
        if not 0 < seconds <= LONGEST_S or (key not in self._learned and len(self._learned) >= MAX_KEYS):
            return
        before_s = self._learned.get(key, seconds)
        self._learned[key] = before_s + _WEIGHT * (seconds - before_s)
