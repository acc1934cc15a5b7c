"""``.demo/state.json``: what a running demo offers, for tests and scripts. It exists only while that is true."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class State:
    """A running demo.

    Attributes:
        base_url: the gateway's origin, without a path.
        globus_url: the origin of the stand-in of the Globus cloud.
        metrics_url: the gateway's metrics.
        pid: the demo's process; SIGTERM ends all of it.
        tokens: access token by persona: alice, bob, charlie, robot.
        models: model ids; the first is the open chat model of the printed lines.
    """

    base_url: str
    globus_url: str
    metrics_url: str
    pid: int
    tokens: dict[str, str]
    models: list[str]


def write_state(state: State, path: Path) -> None:
    """Write the file at once or not at all; it holds tokens, so it is its owner's alone."""
    draft = path.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(state), file, indent=2)
    draft.replace(path)
