from collections.abc import Iterator
from itertools import count
from typing import Any

from resource_server.accounting import RequestRecord

_numbers = count()


def record(**fields: Any) -> RequestRecord:
    """A plausible record with an id of its own."""
    plausible: dict[str, Any] = {
        "request_id": f"req-{next(_numbers)}",
        "received_at": 1_763_870_000.25,
        "sub": "00000000-0000-4000-8000-000000000001",
        "username": "alice@anl.gov",
        "client_id": "00000000-0000-4000-8000-000000000002",
        "method": "POST",
        "operation": "chat/completions",
        "model": "tiny",
        "cluster": "sophia",
        "framework": "vllm",
        "target_model": "org/tiny",
        "status": 200,
        "error_code": "",
        "stream": True,
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "duration_ms": 12.5,
        "first_byte_ms": 4.25,
        "cancelled": False,
        "usage_estimated": False,
    }
    return RequestRecord(**{**plausible, **fields})


def records(number: int) -> list[RequestRecord]:
    return list(_generate(number))


def _generate(number: int) -> Iterator[RequestRecord]:
    for _ in range(number):
        yield record()
