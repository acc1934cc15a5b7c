"""The numbers from outside: read from ``assumptions.toml``, where each has its source."""

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("assumptions.toml")


@dataclass(frozen=True, slots=True)
class Assumptions:
    """One value per table of the file; units are in the names."""

    prefill_tokens_per_s: float
    decode_step_s: float
    decode_s_per_context_token: float
    cache_tokens: float
    max_sequences: float
    step_budget_tokens: float
    block_tokens: float
    capacity: float
    status_poll_s: float
    failure_detect_s: float
    prefix_groups_per_replica: float
    questions_per_group: float
    prefix_tokens: float
    question_tokens: float
    output_tokens: float
    warm_up_rate_per_replica: float
    warm_up_s: float
    burst_rate_per_replica: float
    burst_s: float
    measured_blind_tokens_per_s: float
    measured_affine_tokens_per_s: float
    conversation_first_tokens: float
    conversation_turn_tokens: float
    conversation_output_tokens: float
    conversation_turns: float
    saturating_clients_per_replica: float
    conversations_per_replica: float
    conversation_pause_s: float
    cold_start_s: float
    queue_wait_s: float
    walltime_s: float
    federation_rate_per_replica: float
    fair_users: float
    fair_greed: float
    fair_load: float

    def scaled(self, name: str, factor: float) -> "Assumptions":
        """The same with one value multiplied."""
        return replace(self, **{name: getattr(self, name) * factor})

    def blocks(self, tokens: float) -> int:
        """Whole cache blocks in so many tokens."""
        return int(tokens // self.block_tokens)

    @property
    def expected_s(self) -> float:
        """How long an answer on a half-full cache takes: what a gateway would have learned from recent ones."""
        return self.output_tokens * (self.decode_step_s + self.cache_tokens / 2 * self.decode_s_per_context_token)


def read_tables() -> dict[str, dict[str, Any]]:
    """The file as it is."""
    return tomllib.loads(FILE.read_text())


def load_assumptions() -> Assumptions:
    """Raises `TypeError` where the file and the class name different things."""
    return Assumptions(**{name: table["value"] for name, table in read_tables().items()})


def list_sweep() -> list[str]:
    """The names of what the sensitivity sweep halves and doubles."""
    tables = read_tables()
    return [field.name for field in fields(Assumptions) if tables[field.name].get("sweep")]
