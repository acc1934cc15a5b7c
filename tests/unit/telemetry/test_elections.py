"""Which models and clusters have series of their own."""

from pathlib import Path

from resource_server.telemetry.busiest import OTHER, Busiest, elect
from resource_server.telemetry.elections import TERM_S, Elections, adopt
from resource_server.telemetry.page import Page
from resource_server.telemetry.series import MODELS, TIME_TO_FIRST_TOKEN


def build_page(counts: dict[str, int], *names: str) -> Page:
    child: list[float] = [0.0] * (len(TIME_TO_FIRST_TOKEN.buckets) + 2)
    return Page({TIME_TO_FIRST_TOKEN.name: {(name,): child.copy() for name in names}}, {MODELS.name: counts})


def shown(page: Page) -> set[str]:
    return {name for (name,) in page.series[TIME_TO_FIRST_TOKEN.name]}


def models(first: int, last: int) -> list[str]:
    return [f"m{number}" for number in range(first, last + 1)]


def test_busiest_since_the_last_count_are_elected() -> None:
    now, before = {"a": 100, "b": 60, "c": 50, "d": 1}, {"a": 100, "b": 10}
    assert elect(now, before, set(), limit=2) == {"b", "c"}


def test_elected_keeps_its_place_until_another_is_twice_as_busy() -> None:
    assert elect({"a": 10, "b": 19}, {}, {"a"}, limit=1) == {"a"}
    assert elect({"a": 10, "b": 21}, {}, {"a"}, limit=1) == {"b"}


def test_nobody_is_elected_while_there_is_room_for_all(tmp_path: Path) -> None:
    elections = Elections(tmp_path / "elected")
    names = models(1, MODELS.limit)
    page = build_page(dict.fromkeys(names, 1), *names)
    elections.hold(page, MODELS)
    assert shown(page) == set(names)
    assert elections.read() == {}


def test_too_many_names_are_cut_to_the_busiest_and_all_workers_hear_of_it(tmp_path: Path) -> None:
    now = [1000.0]
    elections = Elections(tmp_path / "elected", lambda: now[0])
    names = models(1, 40)
    counts = {name: number for number, name in enumerate(names)}
    page = build_page(counts, *names, OTHER)
    elections.hold(page, MODELS)
    assert shown(page) == {*models(21, 40), OTHER}
    worker = Busiest(MODELS.name)
    worker.chosen = set(models(1, 20))
    adopt(elections.read(), worker)
    assert worker.chosen == set(models(21, 40))
    assert worker.label("m1") == OTHER


def test_elected_stay_for_a_term_and_are_elected_anew_after_it(tmp_path: Path) -> None:
    now = [1000.0]
    elections = Elections(tmp_path / "elected", lambda: now[0])
    names = models(1, 40)
    counts = {name: number for number, name in enumerate(names)}
    elections.hold(build_page(counts, *names), MODELS)
    busy = counts | {"m1": 1_000_000}
    now[0] += TERM_S / 2
    page = build_page(busy, *names)
    elections.hold(page, MODELS)
    assert "m1" not in shown(page)
    now[0] += TERM_S
    page = build_page(busy, *names)
    elections.hold(page, MODELS)
    assert "m1" in shown(page)
    assert len(shown(page)) == MODELS.limit


def test_garbage_in_the_file_is_no_election(tmp_path: Path) -> None:
    for data in (b"", b"[]", b'{"models":[1]}', b"\xff"):
        (tmp_path / "elected").write_bytes(data)
        assert Elections(tmp_path / "elected").read() == {}
