"""The database's tables, one file per aggregate."""

from resource_server.models.audit_event import AuditEvent as AuditEvent
from resource_server.models.cluster import Cluster as Cluster
from resource_server.models.cluster_status import ClusterStatus as ClusterStatus
from resource_server.models.endpoint import Endpoint as Endpoint
from resource_server.models.federated_endpoint import FederatedEndpoint as FederatedEndpoint
from resource_server.models.request_log import RequestLog as RequestLog
from resource_server.models.user import User as User
