from resource_server.identity.cache import Answer, BoundedCache


def test_what_was_used_longest_ago_is_forgotten() -> None:
    cache: BoundedCache[int] = BoundedCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]
    assert len(cache) == 2


def test_prolonged_answer_keeps_its_end() -> None:
    answer = Answer("value", fresh_until=30.0, usable_until=300.0)
    answer.prolong(40.0)
    assert (answer.is_fresh(39.9), answer.is_fresh(40.0)) == (True, False)
    answer.prolong(400.0)
    assert (answer.is_fresh(299.9), answer.is_fresh(300.0), answer.is_usable(300.0)) == (True, False, False)
