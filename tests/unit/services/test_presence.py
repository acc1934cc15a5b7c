"""What processes on one socket tell each other, here played by several objects: `flock` is by open file."""

from pathlib import Path

from resource_server.services.presence import Phase, Presence

SOCKET = "4711"


def test_others_on_the_socket_are_seen_in_their_phases(tmp_path: Path) -> None:
    one, two, three = (Presence(tmp_path, name) for name in ("a", "b", "c"))
    one.show(SOCKET, Phase.SERVING)
    assert set(one.others()) == set()
    two.show(SOCKET, Phase.SERVING)
    three.show(SOCKET, Phase.LISTENING)
    assert set(one.others()) == {Phase.SERVING, Phase.LISTENING}
    two.show(SOCKET, Phase.DEAF)
    assert set(one.others()) == {Phase.DEAF, Phase.LISTENING}
    two.leave()
    two.leave()
    three.leave()
    assert set(one.others()) == set()
    one.leave()
    assert list(tmp_path.iterdir()) == []


def test_processes_on_another_socket_are_none_of_ours(tmp_path: Path) -> None:
    one, other = Presence(tmp_path, "a"), Presence(tmp_path, "b")
    one.show(SOCKET, Phase.SERVING)
    other.show(SOCKET + "0", Phase.SERVING)
    assert set(one.others()) == set(other.others()) == set()


def test_sign_of_the_dead_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"{SOCKET}.dead").write_text(Phase.SERVING)
    living = Presence(tmp_path, "a")
    living.show(SOCKET, Phase.SERVING)
    assert set(living.others()) == set()
    assert [path.name for path in tmp_path.iterdir()] == [f"{SOCKET}.a"]
    living.leave()


def test_who_has_shown_nothing_sees_nobody(tmp_path: Path) -> None:
    living = Presence(tmp_path, "a")
    living.show(SOCKET, Phase.SERVING)
    assert set(Presence(tmp_path, "b").others()) == set()
    living.leave()
