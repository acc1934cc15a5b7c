"""``manage.py check_globus``: run it once at deploy. The server itself starts without asking Globus anything."""

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from resource_server.domain.targets import Target
from resource_server.identity.globus_scopes import GlobusScopes
from resource_server.models.catalogue import read_endpoints, read_federated
from resource_server.services.globus_check import Finding, check_globus, check_scope
from resource_server.wiring import build_identity_settings, open_globus_seams


class Command(BaseCommand):
    """Tries the credentials and the catalogue's compute endpoints against Globus, and says what to mend."""

    help = "Verifies the gateway's Globus credentials and the catalogue's compute endpoints, live."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        targets = [*read_endpoints(), *(target for row in read_federated() for target in row.targets)]
        identity = build_identity_settings(settings.ENVIRONMENT)
        scope = self._tell(check_scope(GlobusScopes(identity), identity.application_id))
        failures = [finding for finding in (scope, *asyncio.run(self._check(targets))) if not finding.is_good]
        if failures:
            raise CommandError(f"{len(failures)} of the checks failed.")

    async def _check(self, targets: list[Target]) -> list[Finding]:
        async with open_globus_seams(settings.ENVIRONMENT) as (identity, compute):
            return [self._tell(finding) async for finding in check_globus(identity, compute, targets)]

    def _tell(self, finding: Finding) -> Finding:
        mark = self.style.SUCCESS("ok    ") if finding.is_good else self.style.ERROR("FAILED")
        self.stdout.write(f"{mark} {finding.subject}{': ' if finding.detail else ''}{finding.detail}")
        return finding
