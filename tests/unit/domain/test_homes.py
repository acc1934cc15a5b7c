from resource_server.domain.homes import Homes


def test_the_key_unused_longest_is_forgotten_first() -> None:
    homes = Homes(most=2)
    homes.note(b"a", 1)
    homes.note(b"b", 2)
    assert homes.find(b"a") == 1
    homes.note(b"c", 3)
    assert [homes.find(key) for key in (b"a", b"b", b"c")] == [1, None, 3]


def test_a_key_moves_to_its_new_home() -> None:
    homes = Homes()
    homes.note(b"a", 1)
    homes.note(b"a", 2)
    assert homes.find(b"a") == 2
