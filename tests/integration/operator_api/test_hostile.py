"""What nobody sends by mistake: every answer is a refusal in the envelope, or a page; none is a failure of ours."""

from typing import Any

import pytest

from tests.integration.operator_api.clients import ENDPOINT, FEDERATED, TARGET, Api
from tests.integration.operator_api.logs import build_log

VALUES = [
    *("", "%00", "%ED%A0%80", "%F0%9F%92%A5", "-1", "0", "9" * 30, "1e400", "NaN", "Infinity", "'", '"', "a" * 5000),
    *("0001-01-01T00:00:00%2B14:00", "0001-01-10T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-13-45", "%2D%2D", "[]"),
]
PARAMETERS = {
    "clusters": ("name", "page", "page_size", "ordering", "format"),
    "endpoints": ("search", "cluster", "backend", "ordering"),
    "federated-endpoints": ("search", "cluster", "slug"),
    "request-logs": (
        "cursor",
        "page_size",
        "received_from",
        "received_before",
        "status",
        "status_from",
        "stream",
        "sub",
    ),
    "audit": ("cursor", "at_from", "source", "object_key"),
    "usage": ("from", "before", "by", "page", "page_size", "model"),
}
TARGETS: dict[str, Any] = {
    "cluster": (7, [], {}, "v1"),
    "backend": (7, [], {}, "x"),
    "media_hosts": (7, "x", [7], None),
}
FIELDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "clusters",
        {"name": "c"},
        {
            "name": (None, 7, [], {}, "", "a" * 101, "../x", "é", " ", "a/b", True),
            "allowed_globus_groups": (7, {}, [[]], [None], "a:b", [{}], True),
            "allowed_domains": (7, {}, [[]], [None], "x", None, ["a b"]),
            "maintenance_from": (7, {}, "0001-01-01T00:00:00+14:00", "x"),
            "maintenance": (7, {}, "x", None),
            "status_endpoint_uuid": (7, {}, "x", [], True),
        },
    ),
    (
        "endpoints",
        ENDPOINT,
        {
            "api_port": (True, -1, 2**70, 1.5, "x", None, [], {}),
            "backend_settings": (7, [], "x", {"x": 1}, {"caps": 7}, None),
            "backend": (7, [], {}, "", "x" * 31, None),
            "model": (7.5, [], {}, "", "x" * 301, "\x7f", None),
        },
    ),
    (
        "federated-endpoints",
        FEDERATED,
        {
            "targets": (
                *(7, {}, "x", None, [7], [[]], [None], [{}]),
                *([{**TARGET, name: value}] for name, values in TARGETS.items() for value in values),
            ),
            "slug": (7.5, [], {}, "x" * 201, None),
        },
    ),
    (
        "maintenance-windows",
        {"cluster": "polaris"},
        {
            "cluster": (7, [], {}, "", "x" * 5000, "\x00", None),
            "from": (7, [], {}, "x", "9999-12-31T23:59:00-14:00"),
            "notice": (7, [], {}, "x" * 5000, None),
        },
    ),
]
BODIES = [
    (path, {**good, name: value})
    for path, good, fields in FIELDS
    for name, values in fields.items()
    for value in values
]


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, names in PARAMETERS.items() for name in names])
def test_no_parameter_breaks_a_list(operator: Api, path: str, name: str) -> None:
    build_log(3)
    operator.create("clusters/", {"name": "polaris"})
    for value in VALUES:
        response = operator.get(f"{path}/?{name}={value}")
        assert response.status_code in {200, 400, 404}, (value, response.content)


def test_no_body_breaks_a_change(operator: Api) -> None:
    operator.create("clusters/", {"name": "polaris"})
    row = operator.create("endpoints/", ENDPOINT)
    for path, body in BODIES:
        response = operator.send("POST", f"{path}/", body)
        assert response.status_code in {201, 400}, (body, response.content)
        if response.status_code == 400:
            assert response.json()["error"]["code"] == "invalid_value"
        if path == "endpoints":
            changed = operator.send("PATCH", f"endpoints/{row['id']}/", body, version=row["version"])
            assert changed.status_code in {200, 400, 412}, (body, changed.content)
