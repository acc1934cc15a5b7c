import time
from concurrent.futures import ThreadPoolExecutor

import globus_sdk
import pytest
import requests

from globus_local.embedded import running

from .conftest import COMPUTE_SCOPE, GATEWAY_SCOPE, GROUPS_SCOPE, Local


def get_keys(local: Local, timeout_s: float = 5.0) -> requests.Response:
    return requests.get(f"{local.url}/jwk.json", timeout=timeout_s)


def test_status_fault_looks_like_the_service_itself(local: Local) -> None:
    local.admin.add_fault(service="groups", status=503, retry_after_s=7)
    client = local.groups(local.admin.issue_token("alice@site.example", GROUPS_SCOPE))

    with pytest.raises(globus_sdk.GroupsAPIError) as caught:
        client.get_my_groups()

    assert (caught.value.http_status, caught.value.headers["Retry-After"]) == (503, "7")
    assert get_keys(local).status_code == 200


def test_fault_answers_the_body_given(local: Local) -> None:
    local.admin.add_fault(path_prefix="/jwk", status=418, body={"short": "stout"}, remaining=1)
    local.admin.add_fault(path_prefix="/jwk", status=502, body="<html>Bad gateway</html>", remaining=1)

    first, second, third = get_keys(local), get_keys(local), get_keys(local)

    assert (first.status_code, first.json()) == (418, {"short": "stout"})
    assert (second.status_code, second.text) == (502, "<html>Bad gateway</html>")
    assert third.status_code == 200


def test_fault_hits_its_method_only(local: Local) -> None:
    local.admin.add_fault(method="post", path_prefix="/v2/oauth2/token")

    with pytest.raises(globus_sdk.AuthAPIError) as caught:
        local.robot.oauth2_client_credentials_tokens("openid")

    assert caught.value.http_status == 503
    assert get_keys(local).status_code == 200


def test_fault_stays_until_it_is_removed(local: Local) -> None:
    fault_id = local.admin.add_fault(path_prefix="/jwk")
    assert [get_keys(local).status_code for _ in range(3)] == [503, 503, 503]

    local.admin.remove_fault(fault_id)

    assert get_keys(local).status_code == 200


def test_faults_are_cleared(local: Local) -> None:
    local.admin.add_fault()
    local.admin.set_rate_limit(enabled=True)
    local.admin.set_compute_faults(drop_results=-1, delay_results_s=0.5, endpoint_offline=True)

    local.admin.clear_faults()

    faults = local.admin.call("GET", "faults")
    assert faults["http"] == []
    assert faults["rate_limit"]["enabled"] is False
    assert not any(faults["compute"].values())


def test_compute_faults_are_kept(local: Local) -> None:
    local.admin.set_compute_faults(duplicate_results=2, refuse_submits=1)

    compute = local.admin.call("GET", "faults")["compute"]

    assert (compute["duplicate_results"], compute["refuse_submits"], compute["drop_results"]) == (2, 1, 0)


def test_delay_makes_the_answer_late(local: Local) -> None:
    local.admin.add_fault("delay", path_prefix="/jwk", delay_s=0.2)
    started = time.monotonic()

    assert get_keys(local).status_code == 200
    assert time.monotonic() - started >= 0.2


def test_dropped_connection_is_in_the_ledger_as_0(local: Local) -> None:
    fault_id = local.admin.add_fault("drop", path_prefix="/jwk")

    with pytest.raises(requests.ConnectionError):
        get_keys(local)

    (call,) = local.admin.read_ledger("auth")
    assert (call["status"], call["fault"]) == (0, fault_id)


def test_hanging_call_ends_when_the_client_leaves(local: Local) -> None:
    local.admin.add_fault("hang", path_prefix="/jwk")

    with pytest.raises(requests.ReadTimeout):
        get_keys(local, timeout_s=0.2)

    deadline = time.monotonic() + 5
    while not local.admin.read_ledger("auth") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [call["status"] for call in local.admin.read_ledger("auth")] == [0]


def test_malformed_answer_is_200_and_no_json(local: Local) -> None:
    local.admin.add_fault("malformed", path_prefix="/jwk")

    answer = get_keys(local)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_rate_limit_is_per_client_and_says_when_to_come_back(local: Local) -> None:
    local.admin.set_rate_limit(enabled=True, limit=2, services=["groups"])
    alice = local.admin.issue_token("alice@site.example", GROUPS_SCOPE)
    robot = local.robot.oauth2_client_credentials_tokens(GROUPS_SCOPE)["access_token"]

    for _ in range(2):
        local.groups(alice).get_my_groups()
    with pytest.raises(globus_sdk.GroupsAPIError) as caught:
        local.groups(alice).get_my_groups()

    assert caught.value.http_status == 429
    assert 9 <= int(caught.value.headers["Retry-After"]) <= 10
    local.groups(robot).get_my_groups()

    local.admin.set(skew_s=10.0)
    local.groups(alice).get_my_groups()


def test_rate_limit_is_off_unless_asked_for(local: Local) -> None:
    token = local.admin.issue_token("alice@site.example", COMPUTE_SCOPE)
    headers = {"Authorization": f"Bearer {token}"}

    answers = {requests.get(f"{local.url}/v2/unknown", headers=headers, timeout=5).status_code for _ in range(25)}

    assert answers == {404}


def test_bodies_above_10_mb_are_refused(local: Local) -> None:
    answer = requests.post(f"{local.url}/v2/oauth2/token", {"token": "x" * (10 * 1024 * 1024)}, timeout=10)

    assert answer.status_code == 413
    assert answer.json()["errors"][0]["status"] == "413"


def test_clock_skew_moves_the_times_of_tokens(local: Local) -> None:
    local.admin.set(skew_s=-3600.0)
    token = local.admin.issue_token("alice@site.example", GATEWAY_SCOPE)

    told = local.gateway.oauth2_token_introspect(token)

    assert abs(told["iat"] - (time.time() - 3600)) < 60


def test_cloud_stops_at_once_while_a_call_hangs() -> None:
    with ThreadPoolExecutor(1) as pool:
        with running() as (cloud, admin):
            admin.add_fault("hang", path_prefix="/jwk", remaining=1)
            call = pool.submit(requests.get, f"{cloud.base_url}/jwk.json", timeout=10)
            deadline = time.monotonic() + 5
            while admin.call("GET", "faults")["http"] and time.monotonic() < deadline:
                time.sleep(0.01)
            started = time.monotonic()
        assert time.monotonic() - started < 3
        assert isinstance(call.exception(timeout=5), requests.ConnectionError)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{cloud.base_url}/jwk.json", timeout=1)
