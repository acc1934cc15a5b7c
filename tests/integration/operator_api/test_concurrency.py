"""Several writers at once, and a database that does not answer in time."""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import OperationalError, connection, connections

from resource_server.models import AuditEvent, Cluster, User
from resource_server.operator_api.errors import convert
from resource_server.services.database import bounded_queries
from tests.integration.catalogue.files import SMALL, catalogue, write
from tests.integration.operator_api.clients import Api

WRITERS = 6


def run_together(work: Callable[[int], int]) -> Counter[int]:
    """What each of `WRITERS` threads came to."""

    def run(number: int) -> int:
        try:
            return work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(WRITERS) as pool:
        return Counter(pool.map(run, range(WRITERS)))


@pytest.mark.django_db(transaction=True)
def test_of_many_writers_that_saw_one_version_one_wins() -> None:
    api = Api(User.objects.create_superuser("admin"))
    row = api.create("clusters/", {"name": "polaris"})

    def change(number: int) -> int:
        body = {"description": f"by {number}"}
        status: int = Api(api.user).send("PATCH", f"clusters/{row['id']}/", body, version=row["version"]).status_code
        return status

    assert run_together(change) == {200: 1, 412: WRITERS - 1}
    assert AuditEvent.objects.filter(action="update").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_who_take_one_name_one_gets_it() -> None:
    user = User.objects.create_superuser("admin")

    def create(_number: int) -> int:
        status: int = Api(user).send("POST", "clusters/", {"name": "polaris"}).status_code
        return status

    assert run_together(create) == {201: 1, 400: WRITERS - 1}
    assert AuditEvent.objects.count() == Cluster.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_who_apply_one_plan_one_does(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL)
    expected = catalogue("plan", path).fingerprint
    outcomes = run_together(lambda _number: catalogue("apply", path, "--yes", "--expect", expected).status)
    assert outcomes == {0: 1, 1: WRITERS - 1}
    assert AuditEvent.objects.count() == 3


@pytest.mark.django_db
def test_question_that_takes_too_long_is_given_up() -> None:
    started = time.monotonic()
    with pytest.raises(OperationalError) as caught, bounded_queries(0.2), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(30)")
    assert time.monotonic() - started < 25
    error = convert(caught.value)
    assert (error.http_status, error.code) == (503, "database_unavailable")
