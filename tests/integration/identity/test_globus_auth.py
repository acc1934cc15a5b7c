"""The seam to Globus, with the real SDK over real HTTP: what each answer, and each lack of one, comes to."""

import gzip
import logging
import time
from collections.abc import AsyncIterator

import orjson
import pytest

from resource_server.identity.base import (
    AnswerUnusable,
    ConsentMissing,
    GlobusFailure,
    GlobusUnavailable,
    TokenRefused,
)
from resource_server.identity.globus_auth import GlobusAuth
from resource_server.identity.settings import GROUPS_SCOPE
from tests.integration.identity.cloud import (
    GATEWAY_CREDENTIALS,
    Answer,
    Cloud,
    answer_and_hang_up,
    answer_bytes,
    answer_drop_by_drop,
    answer_json,
    answer_never,
)
from tests.unit.identity.fakes import GROUP, OTHER_POLICY, POLICY, build_document, build_settings


@pytest.fixture
async def cloud(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cloud]:
    cloud = Cloud()
    runner = await cloud.serve()
    monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_AUTH", cloud.url)
    monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_GROUPS", cloud.url)
    yield cloud
    await runner.cleanup()


@pytest.fixture
async def globus(cloud: Cloud) -> AsyncIterator[GlobusAuth]:
    globus = GlobusAuth(build_settings(policy_ids=frozenset({POLICY, OTHER_POLICY}), call_timeout_s=0.3))
    yield globus
    await globus.aclose()


async def test_introspection_asks_for_session_identities_and_policies(cloud: Cloud, globus: GlobusAuth) -> None:
    assert await globus.introspect("alice-token") == build_document()
    assert cloud.forms == [
        {
            "token": "alice-token",
            "include": "session_info,identity_set_detail",
            "authentication_policies": f"{POLICY},{OTHER_POLICY}",
        }
    ]
    assert cloud.credentials == [GATEWAY_CREDENTIALS]


async def test_groups_are_read_with_a_dependent_token(cloud: Cloud, globus: GlobusAuth) -> None:
    assert await globus.active_group_ids("alice-token") == [GROUP]
    assert cloud.forms[0] == {
        "grant_type": "urn:globus:auth:grant_type:dependent_token",
        "token": "alice-token",
        "scope": GROUPS_SCOPE,
    }
    assert cloud.credentials == [GATEWAY_CREDENTIALS, "Bearer groups-token"]


async def test_no_groups_is_an_answer(cloud: Cloud, globus: GlobusAuth) -> None:
    cloud.answers["my_groups"] = answer_json([])
    assert await globus.active_group_ids("alice-token") == []


@pytest.mark.parametrize(
    ("answer", "expected", "retry_after_s"),
    [
        (answer_json({"error": "busy"}, 429, {"Retry-After": "7"}), GlobusUnavailable, 7.0),
        (answer_json({}, 503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), GlobusUnavailable, None),
        (answer_json({}, 503, {"Retry-After": "9" * 400}), GlobusUnavailable, 3600.0),
        (answer_json({}, 500), GlobusUnavailable, None),
        (answer_json({"error": "invalid_client"}, 401), GlobusUnavailable, None),
        (answer_json({"error": "invalid_request"}, 400), AnswerUnusable, None),
        (answer_json({}, 403), AnswerUnusable, None),
        (answer_bytes(b"x" * ((1 << 18) + 1)), AnswerUnusable, None),
        (answer_bytes(gzip.compress(b" " * (1 << 26)), {"content-encoding": "gzip"}), GlobusUnavailable, None),
        (answer_bytes(b"\x00\x01", {"content-encoding": "gzip"}), GlobusUnavailable, None),
        (answer_never, GlobusUnavailable, None),
        (answer_drop_by_drop, GlobusUnavailable, None),
        (answer_and_hang_up, GlobusUnavailable, None),
    ],
)
async def test_what_is_no_introspection(
    cloud: Cloud, globus: GlobusAuth, answer: Answer, expected: type[GlobusFailure], retry_after_s: float | None
) -> None:
    cloud.answers["introspect"] = answer
    started_at = time.monotonic()
    with pytest.raises(GlobusUnavailable) as caught:
        await globus.introspect("alice-token")
    assert type(caught.value) is expected
    assert caught.value.retry_after_s == retry_after_s
    assert time.monotonic() - started_at < 3.0


async def test_answer_that_is_not_json_is_handed_on_as_no_document(cloud: Cloud, globus: GlobusAuth) -> None:
    cloud.answers["introspect"] = answer_bytes(b"<html>proxy</html>")
    assert await globus.introspect("alice-token") is None


async def test_status_is_not_asked_for_again(cloud: Cloud, globus: GlobusAuth) -> None:
    cloud.answers["introspect"] = answer_json({}, 503)
    with pytest.raises(GlobusUnavailable):
        await globus.introspect("alice-token")
    assert len(cloud.forms) == 1


async def test_broken_connection_is_tried_once_more(cloud: Cloud, globus: GlobusAuth) -> None:
    cloud.answers["introspect"] = answer_and_hang_up
    with pytest.raises(GlobusUnavailable):
        await globus.introspect("alice-token")
    assert len(cloud.forms) == 2


async def test_refusal_of_the_gateway_is_told_to_the_operator(
    cloud: Cloud, globus: GlobusAuth, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.answers["introspect"] = answer_json({"error": "invalid_client"}, 401)
    with caplog.at_level(logging.ERROR), pytest.raises(GlobusUnavailable):
        await globus.introspect("alice-token")
    assert "GLOBUS_APPLICATION_ID" in caplog.text
    assert "invalid_client" in caplog.text
    assert "alice-token" not in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(
    ("path", "answer", "expected"),
    [
        ("token", answer_json({"error": "invalid_grant"}, 400), TokenRefused),
        ("token", answer_json({"error": "invalid_client"}, 401), GlobusUnavailable),
        ("token", answer_json([]), AnswerUnusable),
        ("token", answer_json([{"resource_server": "groups.api.globus.org"}]), AnswerUnusable),
        ("token", answer_json({"surprise": 1}), AnswerUnusable),
        ("token", answer_json({}, 502), GlobusUnavailable),
        ("my_groups", answer_json({}, 502), GlobusUnavailable),
        ("my_groups", answer_json({"error": "no"}), AnswerUnusable),
        ("my_groups", answer_json({}, 403), AnswerUnusable),
        ("my_groups", answer_bytes(b"<html>"), AnswerUnusable),
    ],
)
async def test_what_is_no_list_of_groups(
    cloud: Cloud, globus: GlobusAuth, path: str, answer: Answer, expected: type[GlobusFailure]
) -> None:
    cloud.answers[path] = answer
    with pytest.raises(GlobusFailure) as caught:
        await globus.active_group_ids("alice-token")
    assert type(caught.value) is expected


async def test_missing_consent_names_what_is_missing(cloud: Cloud, globus: GlobusAuth) -> None:
    refusal = {"error": "dependent_consent_required", "errors": [{"unapproved_scopes": [GROUPS_SCOPE]}]}
    cloud.answers["token"] = answer_json(refusal, 403)
    with pytest.raises(ConsentMissing) as caught:
        await globus.active_group_ids("alice-token")
    assert caught.value.required_scopes == [GROUPS_SCOPE]


async def test_malformed_memberships_count_as_none(cloud: Cloud, globus: GlobusAuth) -> None:
    odd = [None, {"id": 7}, {"id": GROUP}, {"id": GROUP, "my_memberships": [None, {"status": "pending"}]}]
    cloud.answers["my_groups"] = answer_bytes(orjson.dumps(odd), {"content-type": "application/json"})
    assert await globus.active_group_ids("alice-token") == []


async def test_calls_share_connections_but_not_threads_beyond_the_pool(cloud: Cloud, globus: GlobusAuth) -> None:
    for _ in range(3):
        await globus.introspect("alice-token")
    assert len(cloud.forms) == 3
