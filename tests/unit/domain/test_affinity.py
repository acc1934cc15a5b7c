"""Which requests share a key."""

import os
import subprocess
import sys
from typing import Any

import pytest

from resource_server.domain.affinity import READ_CHARS, affinity_key, build_seed, heaviest

LONG = "context " * 500


def chat(*texts: object, **fields: object) -> dict[str, object]:
    roles = ("system", "user", "assistant", "user")
    return {"messages": [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)], **fields}


SAME = [
    (chat("s", "one", session_id="x"), chat("t", "two", session_id="x")),
    (chat("s", "one", user="x"), chat("t", "two", user="x")),
    (chat("s", "one", session_id="x", user="y"), chat("s", "one", session_id="x", user="z")),
    (chat("s", "one"), chat("s", "one", "answer", "and then?")),
    (chat(LONG, "one"), chat(LONG, "two")),
    (chat(LONG, "one", "a", "b"), chat(LONG, "one", "a", "c")),
    (chat([{"type": "text", "text": LONG}], "one"), chat(LONG, "two")),
    ({"prompt": LONG + "one"}, {"prompt": LONG + "two"}),
    ({"prompt": [LONG + "one"]}, {"prompt": LONG + "two"}),
    ({"prompt": [*range(300), 1]}, {"prompt": [*range(300), 2]}),
]
DIFFERENT = [
    (chat("s", "one", session_id="x"), chat("s", "one", session_id="y")),
    (chat("s", "one", session_id="x"), chat("s", "one", user="x")),
    (chat("s", "one"), chat("s", "two")),
    (chat("a", "bc"), chat("ab", "c")),
    (chat(LONG, "one", "a", "b"), chat(LONG, "two", "a", "b")),
    (chat(LONG + "end", "one"), chat(LONG + "END", "one")),
    (chat(LONG, "one"), chat(LONG + LONG, "one")),
    ({"prompt": "one"}, {"prompt": "two"}),
    ({"prompt": [1, 2]}, {"prompt": [1, 3]}),
]


@pytest.mark.parametrize(("one", "two"), SAME)
def test_key_is_shared_by_what_shares_a_beginning(one: dict[str, object], two: dict[str, object]) -> None:
    assert affinity_key(one) == affinity_key(two) is not None


@pytest.mark.parametrize(("one", "two"), DIFFERENT)
def test_key_differs_where_the_beginning_does(one: dict[str, object], two: dict[str, object]) -> None:
    assert affinity_key(one) != affinity_key(two)


@pytest.mark.parametrize("document", [{}, {"messages": []}, {"input": "text"}, {"prompt": []}, {"prompt": None}])
def test_key_is_none_where_there_is_nothing(document: dict[str, object]) -> None:
    assert affinity_key(document) is None


@pytest.mark.parametrize("name", ["session_id", "user"])
@pytest.mark.parametrize("value", [None, "", 7, {"a": 1}, ["x"]])
def test_key_ignores_a_session_that_is_no_text(name: str, value: Any) -> None:
    assert affinity_key(chat("s", "one", **{name: value})) == affinity_key(chat("s", "one"))


def test_key_of_one_caller_is_no_key_of_another() -> None:
    body = chat("s", "one", session_id="x")
    assert len({affinity_key(body, "alice"), affinity_key(body, "bob"), affinity_key(body)}) == 3


@pytest.mark.parametrize("content", ["\ud800", None, 7, [], [None], [[[]]], [{"type": "image_url"}], {"text": "x"}])
def test_key_takes_whatever_the_body_check_let_pass(content: object) -> None:
    affinity_key(chat(content, content))
    affinity_key({"prompt": content, "messages": [content]})


def test_key_reads_a_bounded_part_of_the_text() -> None:
    middle = READ_CHARS + 5
    one, two = LONG[:middle] + "x" + LONG, LONG[:middle] + "y" + LONG
    assert affinity_key(chat(one, "q")) == affinity_key(chat(two, "q"))


def test_weights_are_the_same_in_every_process() -> None:
    """Workers share nothing, and must send a session to the same place: no hash may be salted."""
    script = (
        "from resource_server.domain.affinity import *;print(heaviest([build_seed(str(n)) for n in range(20)], 7, 20))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for salt in ("1", "2")
    }
    assert seen == {str(heaviest([build_seed(str(n)) for n in range(20)], 7, 20))}
