"""The live verification of a deployment: does Globus know us, and are the compute endpoints there?"""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from resource_server.backends.globus_compute.service import ComputeError, ComputeService
from resource_server.domain.targets import GlobusComputeTarget, Target
from resource_server.identity.base import GlobusIdentity, GlobusUnavailable
from resource_server.identity.globus_scopes import GlobusScopes, ScopeFailed
from resource_server.services.globus_scope import look_up


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried; `detail` says what is wrong and what to do."""

    subject: str
    is_good: bool
    detail: str = ""


async def check_globus(
    identity: GlobusIdentity, compute: ComputeService, targets: Iterable[Target]
) -> AsyncIterator[Finding]:
    """Try the gateway's credentials and every compute endpoint of the catalogue, each once."""
    yield await _check_auth(identity)
    yield await _check_compute(compute)
    endpoint_ids = {target.endpoint_uuid for target in targets if isinstance(target, GlobusComputeTarget)}
    for endpoint_id in sorted(endpoint_ids):
        yield await _check_endpoint(compute, endpoint_id)


def check_scope(scopes: GlobusScopes, application_id: str) -> Finding:
    """Whether callers can get tokens, and the gateway read their groups. Synchronous."""
    subject = "Globus Auth, scope action_all"
    try:
        missing = look_up(scopes, application_id).missing
    except ScopeFailed as exc:
        return Finding(subject, False, f"{exc}: check GLOBUS_APPLICATION_ID, its secret and the network")
    return Finding(subject, not missing, f"{missing}: run manage.py globus_scope" if missing else "")


async def _check_auth(identity: GlobusIdentity) -> Finding:
    subject = "Globus Auth, service API application"
    try:
        answer = await identity.introspect("not-a-token")
    except GlobusUnavailable as exc:
        return Finding(
            subject, False, f"{exc}: check GLOBUS_APPLICATION_ID, its secret, GLOBUS_POLICIES and the network"
        )
    if not isinstance(answer, dict) or answer.get("active") is not False:
        return Finding(subject, False, "an unknown token was not answered as inactive: is this Globus Auth?")
    return Finding(subject, True)


async def _check_compute(compute: ComputeService) -> Finding:
    subject = "Globus Compute, service account"
    try:
        await compute.find_result_queues()
    except ComputeError as exc:
        return Finding(subject, False, f"{exc}: check SERVICE_ACCOUNT_ID, its secret and the network")
    return Finding(subject, True)


async def _check_endpoint(compute: ComputeService, endpoint_id: str) -> Finding:
    subject = f"compute endpoint {endpoint_id}"
    try:
        is_online = await compute.is_online(endpoint_id)
    except ComputeError as exc:
        return Finding(subject, False, f"{exc}: is the UUID right, and the service account its owner?")
    return Finding(subject, is_online, "" if is_online else "offline: run globus-compute-endpoint start on its machine")
