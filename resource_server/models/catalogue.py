"""The catalogue's rows as plain values, and a fingerprint that says whether they changed."""

import hashlib
import logging

from django.db import connection

from resource_server.domain.access import AccessRule
from resource_server.domain.catalogue import NOBODY, ClusterRow, FederatedRow, Key
from resource_server.domain.targets import Target, TargetInvalid, parse_group_ids, parse_target
from resource_server.models.cluster import Cluster
from resource_server.models.endpoint import Endpoint
from resource_server.models.federated_endpoint import FederatedEndpoint

logger = logging.getLogger(__name__)

_TABLES = (Cluster, Endpoint, FederatedEndpoint)


def fingerprint() -> str:
    """Changes whenever a row of the catalogue changes, whoever changed it: bulk updates and SQL included.

    PostgreSQL hashes its rows itself; elsewhere the rows, which are few, are read and hashed here.
    """
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        for table in _TABLES:
            name = connection.ops.quote_name(table._meta.db_table)
            if connection.vendor == "postgresql":
                cursor.execute(f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {name} t")  # noqa: S608 - our own table names
            else:
                cursor.execute(f"SELECT * FROM {name} ORDER BY id")  # noqa: S608 - our own table names
            digest.update(repr(cursor.fetchall()).encode())
    return digest.hexdigest()


def read_clusters() -> list[ClusterRow]:
    """Every `Cluster` row."""
    return [build_cluster_row(row) for row in Cluster.objects.all()]


def build_cluster_row(row: Cluster) -> ClusterRow:
    """The row as plain values."""
    return ClusterRow(
        name=row.name,
        rule=_cluster_rule(row),
        maintenance=row.maintenance,
        maintenance_notice=row.maintenance_notice,
        maintenance_from=row.maintenance_from.timestamp() if row.maintenance_from else None,
        maintenance_until=row.maintenance_until.timestamp() if row.maintenance_until else None,
        status_endpoint_uuid=str(row.status_endpoint_uuid or ""),
        status_function_uuid=str(row.status_function_uuid or ""),
    )


def read_endpoints() -> list[Target]:
    """Every `Endpoint` row as a target."""
    return _targets("endpoint", [(row.pk, row.target_document()) for row in Endpoint.objects.all()])


def read_federated() -> list[FederatedRow]:
    """Every `FederatedEndpoint` row with its targets."""
    return [
        FederatedRow(
            name=row.name,
            model=row.target_model_name,
            targets=tuple(_targets("federated endpoint", [(row.pk, item) for item in row.targets])),
        )
        for row in FederatedEndpoint.objects.all()
    ]


def read_closed() -> list[Key]:
    """The keys of what `read_endpoints` and `read_federated` skip: whom it is open to is not known."""
    documents: list[dict[str, object]] = [row.target_document() for row in Endpoint.objects.all()]
    documents += [item for row in FederatedEndpoint.objects.all() for item in row.targets if isinstance(item, dict)]
    return [
        (str(document.get("cluster")), str(document.get("framework")), str(document.get("model")))
        for document in documents
        if _find_problem(document)
    ]


def _targets(kind: str, documents: list[tuple[int, dict[str, object]]]) -> list[Target]:
    """Rows were checked on entry; one that SQL put there unchecked costs itself, not the catalogue."""
    targets = []
    for pk, document in documents:
        if problem := _find_problem(document):
            logger.error("catalogue_row_skipped kind=%s pk=%s problem=%s", kind, pk, problem)
        else:
            targets.append(parse_target(document))
    return targets


def _find_problem(document: object) -> str:
    try:
        parse_target(document)
    except TargetInvalid as exc:
        return str(exc)
    return ""


def _cluster_rule(row: Cluster) -> AccessRule:
    try:
        return AccessRule(
            frozenset(parse_group_ids(row.allowed_globus_groups)),
            frozenset(domain.lower() for domain in row.allowed_domains),
        )
    except (ValueError, TypeError, AttributeError) as exc:
        logger.error("catalogue_row_closed kind=cluster pk=%s problem=%s", row.pk, exc)  # noqa: TRY400 - as above
        return NOBODY
