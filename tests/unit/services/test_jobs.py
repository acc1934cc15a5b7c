"""A cluster's jobs as callers see them: what is theirs, and nothing of what is not."""

from typing import Any

import orjson
import pytest

from resource_server.domain.access import AccessRule
from resource_server.domain.catalogue import ClusterRow, build_snapshot
from resource_server.domain.errors import AuthUnavailable, NotFound
from resource_server.services.jobs import list_jobs
from resource_server.status.board import Board
from tests.personas import PREMIUM_GROUP_ID
from tests.unit.services.fakes import ALICE, FakeCaller, FixedCatalogue, target

UUID = "0de30000-0000-4000-8000-00000000e001"
SIX = {"running", "queued", "others", "private-batch-running", "private-batch-queued", "cluster_status"}
GROUP = [PREMIUM_GROUP_ID]
CATALOGUE = FixedCatalogue(
    build_snapshot(
        [
            ClusterRow("a", status_endpoint_uuid=UUID, status_function_uuid=UUID),
            ClusterRow("closed", AccessRule(group_ids=frozenset(GROUP))),
        ],
        [
            target("a", model="open"),
            target("a", model="secret", allowed_globus_groups=GROUP),
            target("a", model="split"),
            target("a", model="split", framework="other", allowed_globus_groups=GROUP),
            target("closed", model="open"),
            target("bare", model="open"),
        ],
        [],
    )
)
NOBODYS = FakeCaller()
MEMBERS = FakeCaller(PREMIUM_GROUP_ID)


def entry(models: str, **fields: str) -> dict[str, str]:
    named = {name.replace("_", " "): text for name, text in fields.items()}
    return {"Models": models, "Framework": "vllm", "Job ID": "1", "Model Status": "running", **named}


async def ask(caller: FakeCaller, cluster: str = "a", **lists: Any) -> dict[str, Any]:
    board = Board(clock=lambda: 1000.0)
    report = {"running": [], "cluster_status": {"free_nodes": 3}, **lists}
    for name in ("a", "bare"):
        board.note(name, orjson.dumps(report).decode(), 995.4)
    document: dict[str, Any] = orjson.loads((await list_jobs(CATALOGUE, board, caller, cluster)).body)
    assert document.keys() == {*SIX, "as_of"}
    return document


async def test_jobs_are_cut_to_the_models_that_the_caller_may_use() -> None:
    document = await ask(NOBODYS, running=[entry("open, secret"), entry("secret"), entry("unknown")])
    assert [job["Models"] for job in document["running"]] == ["open"]
    assert "secret" not in str(document)
    document = await ask(MEMBERS, running=[entry("open, secret"), entry("secret")])
    assert [job["Models"] for job in document["running"]] == ["open,secret", "secret"]


@pytest.mark.parametrize(
    ("framework", "caller", "shown"),
    [
        ("vllm", NOBODYS, True),
        ("other", NOBODYS, False),
        ("", NOBODYS, False),
        ("other", MEMBERS, True),
        ("", MEMBERS, True),
    ],
)
async def test_model_that_is_open_under_one_framework_is_shown_there_only(
    framework: str, caller: FakeCaller, shown: bool
) -> None:
    document = await ask(caller, running=[entry("split", Framework=framework)])
    assert bool(document["running"]) is shown


@pytest.mark.parametrize("kind", ["running", "others", "private-batch-running", "private-batch-queued"])
async def test_batches_are_shown_to_their_own_user_only(kind: str) -> None:
    theirs = [entry("open", Batch_ID="b", Username=name) for name in ("bob@a.example", "", ALICE.username.upper())]
    own = entry("open", Batch_ID="b", Username=ALICE.username)
    document = await ask(NOBODYS, "a", **{kind: [*theirs, own]})
    assert [job["Username"] for job in document[kind]] == [ALICE.username]


async def test_jobs_that_are_no_batches_name_nobody() -> None:
    document = await ask(NOBODYS, running=[entry("open", Username="bob@a.example", Job_Comments="fine")])
    assert document["running"][0]["Job Comments"] == "fine"
    assert "bob" not in str(document)


async def test_free_nodes_and_age_stand_beside_the_jobs() -> None:
    document = await ask(NOBODYS, others=[entry("open", Model_Status="???")])
    assert (document["cluster_status"], document["as_of"]) == ({"free_nodes": 3}, 995)
    assert document["others"][0]["Model Status"] == "cold"


async def test_cluster_without_a_status_function_has_empty_lists_whatever_it_said_before() -> None:
    document = await ask(NOBODYS, "bare", running=[entry("open")])
    assert all(document[kind] == [] for kind in SIX - {"cluster_status"})
    assert (document["cluster_status"], document["as_of"]) == ({"free_nodes": None}, None)


async def test_hidden_and_unknown_clusters_read_the_same() -> None:
    messages = []
    for cluster in ("closed", "missing"):
        with pytest.raises(NotFound) as caught:
            await ask(NOBODYS, cluster)
        assert caught.value.code == "not_found"
        messages.append(caught.value.message.replace(cluster, "X"))
    assert messages[0] == messages[1]


async def test_cluster_whose_models_all_need_groups_fails_as_groups_do() -> None:
    with pytest.raises(AuthUnavailable):
        await ask(FakeCaller(failure=AuthUnavailable("away")), "closed")
