"""Whoever posts to the relay without the stream's own ticket changes nothing: the test plays the compute node."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
import requests

from tests.e2e.compute_site import PUPPET, Answer, Site, wait_until
from tests.framework import chunk
from tests.unit.relay.posts import OTHER_ATTEMPT, end_of, post

HEAD: dict[str, Any] = {"status": 200, "headers": {"content-type": "text/event-stream; charset=utf-8"}}
WORDS = ("A", " B", " C", " D")
FORGED = chunk("forged", {"content": " FORGED"}).decode()


@dataclass(frozen=True)
class Node:
    """What a compute node knows of one stream, and the client's answer to come."""

    url: str
    ticket: str
    answer: "Future[Answer]"

    def say(self, body: bytes, *, ticket: str | None = None) -> int:
        """Post one message; the status."""
        bearer = self.ticket if ticket is None else ticket
        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"}
        return requests.post(self.url, body, headers=headers, timeout=20).status_code

    def read_words(self) -> str:
        """What the client got."""
        events = [line.removeprefix("data: ") for line in self.answer.result(20).text.splitlines() if line[:1] == "d"]
        assert events.pop() == "[DONE]"
        return "".join(orjson.loads(event)["choices"][0]["delta"].get("content", "") for event in events)


@dataclass(frozen=True)
class Nodes:
    """Opens streams."""

    site: Site
    pool: ThreadPoolExecutor

    def open(self) -> Node:
        """A request whose function has told where it should post, and says nothing more."""
        asked = len(self.site.framework.bodies)
        answer = self.pool.submit(self.site.ask, PUPPET, stream=True)
        assert wait_until(lambda: len(self.site.framework.bodies) > asked, 10)
        return Node(**self.site.framework.bodies[-1]["relay"], answer=answer)


@pytest.fixture
def nodes(site: Site) -> Iterator[Nodes]:
    with ThreadPoolExecutor(4) as pool:
        yield Nodes(site, pool)


def build_posts(words: tuple[str, ...] = WORDS) -> list[bytes]:
    """What the function says of an answer of these words."""
    parts = [chunk("m", {"content": word}).decode() for word in words]
    parts += [chunk("m", {}, "stop").decode() + "data: [DONE]\n\n"]
    data = [post(seq, data=part, **(HEAD if seq == 1 else {})) for seq, part in enumerate(parts, 1)]
    return [post(0), *data, post(len(parts) + 1, end=end_of(parts))]


def test_forged_posts_change_nothing(nodes: Nodes) -> None:
    one, other = nodes.open(), nodes.open()
    forged = post(1, data=FORGED, **HEAD)
    last = "0" if one.ticket[-1] != "0" else "1"
    tickets = (other.ticket, "", one.ticket[:-1] + last, one.ticket + "0", "1" + one.ticket, "x" * 5000)
    for body in build_posts():
        assert {one.say(forged, ticket=ticket) for ticket in tickets} == {403}
        assert other.say(forged, ticket=one.ticket) == 403
        assert one.say(body) == 200
    assert one.read_words() == "A B C D"
    for body in build_posts(("E",)):
        assert other.say(body) == 200
    assert other.read_words() == "E"


def test_replayed_posts_change_nothing(nodes: Nodes) -> None:
    node = nodes.open()
    posts = build_posts()
    for seq, body in enumerate(posts[:-1]):
        assert node.say(body) == 200
        assert node.say(body) == 200
        assert node.say(post(seq, data=FORGED)) == 200  # taken before: what is there stays
    assert node.say(posts[-1]) == 200
    assert node.read_words() == "A B C D"
    assert {node.say(body) for body in posts} == {410}


def test_posts_of_another_attempt_change_nothing(nodes: Nodes) -> None:
    node = nodes.open()
    for seq, body in enumerate(build_posts()):
        assert node.say(body) == 200
        if seq < len(WORDS):
            assert node.say(post(seq + 1, attempt=OTHER_ATTEMPT, data=FORGED)) == 410
    assert node.read_words() == "A B C D"


def test_posts_out_of_order_are_put_in_order(nodes: Nodes) -> None:
    node = nodes.open()
    assert {node.say(body) for body in reversed(build_posts())} == {200}
    assert node.read_words() == "A B C D"


def test_message_without_meaning_changes_nothing(nodes: Nodes) -> None:
    node = nodes.open()
    for body in build_posts():
        for nonsense in (b"", b"[]", b"{", b'{"attempt":"x","seq":-1}', b"\x80\x04N."):
            assert node.say(nonsense) == 400
        assert node.say(body) == 200
    assert node.read_words() == "A B C D"


def test_end_that_contradicts_what_came_is_an_error(nodes: Nodes) -> None:
    node = nodes.open()
    posts = build_posts()
    for body in posts[:2]:
        assert node.say(body) == 200
    assert node.say(post(2, end=end_of(["something else"]))) == 410
    text = node.answer.result(20).text
    assert '"code":"stream_interrupted"' in text.replace(": ", ":")
    assert "[DONE]" not in text
