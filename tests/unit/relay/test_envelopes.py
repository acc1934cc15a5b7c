import pytest

from resource_server.relay.envelopes import ForwardedPost, Replies, decode_envelope, is_worker_id


def test_forwarded_post_survives_the_way() -> None:
    post = ForwardedPost(7, "w2", "w1.abc", "1.2.3", b'{"data":"line\nline"}\n\n')
    assert decode_envelope(post.encode()) == post


def test_replies_survive_the_way() -> None:
    replies = Replies([(1, 200), (2, 410)])
    assert decode_envelope(replies.encode()) == replies


@pytest.mark.parametrize("envelope", [b"", b"{}", b"7", b"\xff\x00", b"[" * 5000, b'"text"\nbody', b"null"])
def test_garbage_is_no_envelope(envelope: bytes) -> None:
    assert decode_envelope(envelope) is None


@pytest.mark.parametrize(
    "envelope",
    [b'[1,"w2","s"]\nx', b'["1","w2","s","t"]', b'[1,"../w2","s","t"]', b"[[1],[1,2,3],[null,2],5]"],
)
def test_list_of_something_else_holds_no_replies(envelope: bytes) -> None:
    assert decode_envelope(envelope) == Replies([])


@pytest.mark.parametrize(
    ("text", "is_one"), [("w1", True), ("a-B_9", True), ("", False), ("a.b", False), ("a/b", False), ("x" * 65, False)]
)
def test_worker_id_can_stand_in_an_address(text: str, is_one: bool) -> None:
    assert is_worker_id(text) is is_one
