"""The snapshot: one key, all rules, on either path."""

from typing import Any

import pytest

from resource_server.domain.access import AccessRule, can_use
from resource_server.domain.catalogue import ClusterRow, FederatedRow, Snapshot, build_snapshot
from resource_server.domain.principal import Principal
from resource_server.domain.targets import GlobusComputeTarget, Target, TargetInvalid, parse_target

A, B, C, D = (f"{n:08d}-0000-4000-8000-000000000000" for n in range(4))


def target(**fields: Any) -> Target:
    document = {"cluster": "polaris", "framework": "vllm", "model": "m", "endpoint_uuid": A, "function_uuid": B}
    return parse_target({**document, **fields})


def snapshot(
    federated: list[Target] | None = None,
    endpoints: list[Target] | None = None,
    clusters: list[ClusterRow] | None = None,
) -> Snapshot:
    row = FederatedRow("name", "public", tuple(federated or ()))
    return build_snapshot(clusters or [], endpoints or [], [row])


def group_rules(places: Any) -> set[frozenset[str]]:
    return {rule.group_ids for rule in places[0].rules}


def test_target_is_reachable_by_its_public_name_and_on_its_clusters_path() -> None:
    built = snapshot([target()])
    assert [place.target.model for place in built.names(None)["public"]] == ["m"]
    assert [place.target.model for place in built.names(("polaris", "vllm"))["m"]] == ["m"]
    assert not built.names(("polaris", "other"))


def test_endpoint_and_target_of_one_key_both_rules_hold_on_both_paths() -> None:
    built = snapshot([target(allowed_globus_groups=[C])], [target(allowed_globus_groups=[D])])
    assert group_rules(built.names(None)["public"]) == {frozenset({C}), frozenset({D})}
    assert group_rules(built.names(("polaris", "vllm"))["m"]) == {frozenset({C}), frozenset({D})}


def test_endpoint_rows_uuids_win_and_its_functions_relay_goes_with_them() -> None:
    built = snapshot([target(relay=True, api_port=8001)], [target(endpoint_uuid=C, function_uuid=D)])
    found = built.names(None)["public"][0].target
    assert isinstance(found, GlobusComputeTarget)
    assert (found.endpoint_uuid, found.function_uuid, found.api_port, found.relay) == (C, D, 8001, False)


def test_cluster_rule_guards_everything_on_it() -> None:
    cluster = ClusterRow("polaris", rule=AccessRule(domains=frozenset({"anl.gov"})))
    built = snapshot([target()], clusters=[cluster])
    assert [rule.domains for rule in built.names(None)["public"][0].rules] == [frozenset({"anl.gov"})]


def test_open_places_carry_no_rule() -> None:
    assert snapshot([target()]).names(None)["public"][0].rules == ()


def principal(*domains: str) -> Principal:
    empty: frozenset[str] = frozenset()
    return Principal("s", "u", "", "", "", False, empty, empty, frozenset(domains), "", 0.0)


def test_lists_mean_any_of_and_several_rules_mean_all() -> None:
    two_groups = AccessRule(group_ids=frozenset({A, B}))
    domain = AccessRule(domains=frozenset({"anl.gov"}))
    assert can_use(principal(), frozenset({B}), [two_groups])
    assert not can_use(principal(), frozenset({C}), [two_groups])
    assert not can_use(principal(), frozenset({B}), [two_groups, domain])
    assert can_use(principal("anl.gov"), frozenset({B}), [two_groups, domain])
    assert can_use(principal(), frozenset(), [])


@pytest.mark.parametrize("slug", ["a\r\nx-evil: 1", "\x00", "\x7f"])
def test_slug_that_would_break_a_header_is_refused(slug: str) -> None:
    with pytest.raises(TargetInvalid, match="endpoint_slug"):
        target(endpoint_slug=slug)
