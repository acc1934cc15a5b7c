"""What a function on a compute node posts: plain builders."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import orjson

ATTEMPT = "0123456789abcdef" * 2
OTHER_ATTEMPT = "f" * 32
JSON_HEAD: dict[str, Any] = {"status": 200, "headers": {"content-type": "application/json"}}


def post(seq: int | None, *, attempt: str = ATTEMPT, **members: object) -> bytes:
    """The body of one POST; without `seq` a ping."""
    numbered = {} if seq is None else {"seq": seq}
    return orjson.dumps({"attempt": attempt, **numbered, **members})


def end_of(parts: Sequence[str]) -> dict[str, object]:
    """The true totals of `parts`."""
    data = "".join(parts).encode()
    return {"messages": len(parts), "bytes": len(data), "sha256": sha256(data).hexdigest()}


def answer(parts: Sequence[str], *, attempt: str = ATTEMPT) -> list[bytes]:
    """A whole answer: started, one message for each part (the first with the head), and the end."""
    posts = [post(0, attempt=attempt)]
    for seq, part in enumerate(parts, start=1):
        head = JSON_HEAD if seq == 1 else {}
        posts.append(post(seq, attempt=attempt, data=part, **head))
    return [*posts, post(len(parts) + 1, attempt=attempt, end=end_of(parts))]
