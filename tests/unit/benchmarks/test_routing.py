"""The routing simulator: it keeps its own rules, repeats itself, and sees what the ranking does."""

import random
from itertools import pairwise

import pytest

from benchmarks.routing.assumptions import list_sweep, load_assumptions, read_tables
from benchmarks.routing.cache import PrefixCache
from benchmarks.routing.clock import Clock
from benchmarks.routing.control import count_control, format_control
from benchmarks.routing.fairness import Fair, Plain, jain, run_fairness
from benchmarks.routing.policies import POLICIES, ROUND_ROBIN, SHIPPED
from benchmarks.routing.ranking_time import measure_ranking
from benchmarks.routing.replica import Replica
from benchmarks.routing.runs import run_burst, run_federation
from benchmarks.routing.traffic import Ask, converse

ASSUMED = load_assumptions()
SMALL = ASSUMED.scaled("output_tokens", 0.1)


def test_every_assumption_has_a_source() -> None:
    for name, table in read_tables().items():
        assert len(str(table["source"])) > 10, name
        assert table["value"] > 0, name
    assert len(list_sweep()) > 8


def test_a_run_can_be_repeated() -> None:
    runs = [run_burst(SMALL, POLICIES[SHIPPED], replicas=2, seed=3) for _ in range(2)]
    assert runs[0] == runs[1]


def test_affinity_beats_round_robin_on_shared_prefixes() -> None:
    ours, blind = (run_burst(SMALL, POLICIES[name], replicas=4, seed=1) for name in (SHIPPED, ROUND_ROBIN))
    assert ours.output_tokens_per_s > blind.output_tokens_per_s
    assert ours.ttft_mean_s < blind.ttft_mean_s / 2
    assert ours.hit_share > 2 * blind.hit_share


def test_every_policy_outlives_ends_of_jobs_and_a_lost_cluster() -> None:
    for name, maker in POLICIES.items():
        outcome = run_federation(SMALL.scaled("walltime_s", 0.1), maker, seconds=400, seed=2)
        assert outcome.requests > 500, name
        assert 0 < outcome.broken_share < 0.2, name
        assert outcome.output_tokens_per_s > 0, name


def ask(prompt: int, output: int, blocks: list[int]) -> Ask:
    return Ask("u", {}, prompt, output, blocks)


def test_a_lone_request_takes_what_the_costs_say() -> None:
    clock = Clock()
    one = ask(1400, 11, list(range(7)))
    Replica(ASSUMED, clock).submit(one, lambda _: None)
    clock.run(100)
    assert one.first_token_at == pytest.approx(ASSUMED.decode_step_s + 1400 / ASSUMED.prefill_tokens_per_s)
    assert one.first_token_at is not None
    assert one.done_at is not None
    step_s = ASSUMED.decode_step_s + 1406 * ASSUMED.decode_s_per_context_token
    assert one.done_at - one.first_token_at == pytest.approx(10 * step_s, rel=0.01)


def test_a_second_request_finds_the_prefix_of_the_first() -> None:
    clock = Clock()
    replica = Replica(ASSUMED, clock)
    first, second = ask(1400, 10, list(range(7))), ask(1400, 10, [*range(5), 90, 91])
    replica.submit(first, lambda _: None)
    clock.run(50)
    replica.submit(second, lambda _: None)
    clock.run(100)
    assert (first.hit_tokens, second.hit_tokens) == (0, 1000)


def test_a_killed_replica_breaks_everything_off_once() -> None:
    clock = Clock()
    replica = Replica(ASSUMED, clock)
    ended: list[Ask] = []
    for _ in range(3):
        replica.submit(ask(9000, 500, []), ended.append)
    clock.run(1)
    replica.kill()
    clock.run(100)
    assert len(ended) == 3
    assert all(one.broken for one in ended)


def test_cache_keeps_what_is_held_and_forgets_the_oldest() -> None:
    cache = PrefixCache(10)
    assert cache.admit([1, 2, 3], own=1) == 0
    held = cache.publish([1, 2, 3])
    assert cache.admit([1, 2, 4], own=4) == 2
    assert cache.admit([7, 8], own=1) is None
    cache.release(held, private=1)
    assert cache.count_hits([1, 2, 3]) == 3
    assert cache.admit([7, 8], own=1) == 0  # 3 is idle and leaves
    assert cache.count_hits([1, 2, 3]) == 2
    assert cache.used == 10


def test_conversation_repeats_all_before_each_turn() -> None:
    turns = [one for number in range(200) for one in converse(ASSUMED, random.Random(number), number)]
    assert len(turns) / 200 == pytest.approx(ASSUMED.conversation_turns, rel=0.2)
    for before, after in pairwise(turns):
        if before.user == after.user:
            known = before.blocks + before.answer_blocks
            assert after.blocks[: len(known)] == known


def test_fair_queue_shares_what_a_plain_one_gives_to_the_greedy() -> None:
    fair, plain = (run_fairness(ASSUMED, make, seconds=60, seed=1) for make in (Fair, Plain))
    assert fair.jain > 0.95 > plain.jain


def test_jain_is_one_for_equals_and_small_for_one_alone() -> None:
    assert jain([3.0, 3.0, 3.0]) == pytest.approx(1)
    assert jain([3.0, 0.0, 0.0]) == pytest.approx(1 / 3)
    assert jain([0.0, 0.0]) == 0


def test_control_is_as_old_as_the_budget_allows() -> None:
    assert count_control(100, 1000, 10_000, calls=1, client_share=0.25).oldest_s == 220
    assert count_control(100, 1000, 10_000, calls=2, client_share=0.25).oldest_s == 420
    assert count_control(5, 10, 100, calls=2, client_share=0.25).period_s == 60
    assert "over by 75%" in format_control()


def test_ranking_is_timed_at_every_size() -> None:
    measured = measure_ranking(rounds=3)
    assert list(measured) == [1, 2, 10, 100, 1000]
    assert measured[1000]["key"] < 20_000  # microseconds, on the slowest of machines
