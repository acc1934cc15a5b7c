"""Maintenance windows: in effect by the clock, in every place at once."""

import orjson
import pytest

from resource_server.domain.access import AccessRule
from resource_server.domain.catalogue import ClusterRow, FederatedRow, build_snapshot
from resource_server.domain.errors import Maintenance
from resource_server.domain.states import ModelState
from resource_server.limits.base import Unlimited
from resource_server.services.inference import Inference
from resource_server.services.maintenance import describe_maintenance
from resource_server.services.public_status import PublicStatus
from resource_server.services.routing import Routing
from resource_server.services.standings import build_reported
from resource_server.state.memory import MemoryState
from resource_server.status.board import Board
from tests.personas import PREMIUM_GROUP_ID
from tests.unit.services.fakes import MODEL, FakeBackend, FixedCatalogue, World, target

GROUP = frozenset({PREMIUM_GROUP_ID})


@pytest.mark.parametrize(
    ("is_on", "begins_at", "ends_at", "in_effect"),
    [
        (False, None, None, ""),
        (False, None, 20, ""),
        (True, None, None, "0 10 15 20"),
        (True, None, 15, "0 10"),
        (True, 10, 15, "0 10"),
        (False, 10, None, "10 15 20"),
        (False, 10, 15, "10"),
    ],
)
def test_window_is_in_effect_from_its_begin_until_before_its_end(
    is_on: bool, begins_at: float | None, ends_at: float | None, in_effect: str
) -> None:
    row = ClusterRow("c", maintenance=is_on, maintenance_from=begins_at, maintenance_until=ends_at)
    assert " ".join(str(now) for now in (0, 10, 15, 20) if row.is_in_maintenance(now)) == in_effect


@pytest.mark.parametrize(
    ("notice", "until", "text"),
    [
        ("New racks.", None, "New racks."),
        ("", None, "The cluster c is in maintenance."),
        ("New racks.", 1767225600, "New racks. It ends at 2026-01-01T00:00:00+00:00."),
    ],
)
def test_message_holds_the_notice_and_its_end(notice: str, until: float | None, text: str) -> None:
    assert describe_maintenance(ClusterRow("c", maintenance_notice=notice, maintenance_until=until)) == text


class Site:
    """A window on cluster a from 100 to 200, cluster b with none, a clock to set."""

    def __init__(self) -> None:
        self.now = 0.0
        window = ClusterRow("a", maintenance_from=100, maintenance_until=200, maintenance_notice="Racks.")
        clusters = [window, ClusterRow("closed", AccessRule(group_ids=GROUP))]
        targets = (target("a"), target("b", allowed_globus_groups=sorted(GROUP)), target("closed"))
        hidden = target("a", model="hidden", allowed_globus_groups=sorted(GROUP))
        self.catalogue = FixedCatalogue(build_snapshot(clusters, [hidden], [FederatedRow("m", MODEL, targets)]))
        self.board = Board(clock=lambda: self.now)
        backends = {"simulated": FakeBackend()}
        reported = build_reported(backends, self.board, lambda: self.now)
        self.routing = Routing(backends, reported, MemoryState(), "worker")
        self.public_status = PublicStatus(self.catalogue, self.routing, self.board, lambda: self.now)
        self.inference = Inference(self.catalogue, backends, Unlimited(), self.routing)

    def states(self) -> list[ModelState]:
        return [self.routing.standing(place).state for place in self.catalogue.snapshot().names(None)[MODEL]]

    def status(self) -> dict[str, dict[str, object]]:
        clusters: dict[str, dict[str, object]] = orjson.loads(self.public_status.describe().body)["clusters"]
        return clusters


@pytest.mark.parametrize(("now", "state"), [(99, "hot"), (100, "maintenance"), (199, "maintenance"), (200, "hot")])
def test_cluster_is_led_to_and_left_alone_by_the_clock(now: float, state: str) -> None:
    site = Site()
    site.now = now
    assert site.states() == [state, "hot", "hot"]
    ranked = site.routing.rank(site.catalogue.snapshot().names(None)[MODEL])
    assert ("a" in {one.place.target.cluster for one in ranked}) is (state == "hot")


async def test_request_that_only_the_cluster_could_answer_hears_the_notice_and_its_end() -> None:
    site = Site()
    site.now = 150
    world = World(a=None)
    world.inference = site.inference
    with pytest.raises(Maintenance, match=r"Racks\. It ends at 1970-01-01T00:03:20"):
        await world.ask()


@pytest.mark.parametrize(
    ("now", "in_effect", "counted"),
    [(0, False, "hot"), (150, True, "maintenance"), (300, None, "hot")],
)
def test_public_status_counts_open_models_and_announces_windows(
    now: float, in_effect: bool | None, counted: str
) -> None:
    site = Site()
    site.now = now
    (name, cluster), *others = site.status().items()
    assert (name, others, cluster["as_of"]) == ("a", [], None)
    assert cluster["models"] == {state.value: int(state.value == counted) for state in ModelState}
    window = cluster["maintenance"]
    assert (window is None) if in_effect is None else isinstance(window, dict)
    if isinstance(window, dict):
        ends = "1970-01-01T00:03:20+00:00"
        assert window == {
            "in_effect": in_effect,
            "from": "1970-01-01T00:01:40+00:00",
            "until": ends,
            "notice": "Racks.",
        }


def test_public_status_is_made_once_a_second_however_often_it_is_asked_for() -> None:
    site = Site()
    for site.now, is_in_effect in ((99.5, False), (100.4, False), (100.5, True), (50, False)):
        window = site.status()["a"]["maintenance"]
        assert isinstance(window, dict)
        assert window["in_effect"] is is_in_effect
