"""``manage.py globus_scope``: run it once, after the service API application was registered."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from resource_server.identity.globus_scopes import GlobusScopes, ScopeFailed
from resource_server.services.globus_scope import look_up, mend
from resource_server.wiring import build_identity_settings


class Command(BaseCommand):
    """Makes the scope `action_all` of the gateway's application, and lets it depend on Globus Groups."""

    help = (
        "Creates the Globus scope action_all for which callers' tokens are issued, with the dependent scope that lets"
        " the gateway read their groups. Run it once; run again it changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail if something is missing")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        identity = build_identity_settings(settings.ENVIRONMENT)
        if not identity.application_id or not identity.application_secret:
            raise CommandError("Set GLOBUS_APPLICATION_ID and GLOBUS_APPLICATION_SECRET first (docs/registration.md).")
        scopes = GlobusScopes(identity)
        try:
            state = look_up(scopes, identity.application_id)
            if options["check"] and state.missing:
                raise CommandError(f"{state.missing}. Run manage.py globus_scope.")
            changed = bool(state.missing)
            state = mend(scopes, state)
        except ScopeFailed as exc:
            raise CommandError(
                f"{exc}. Check GLOBUS_APPLICATION_ID, its secret and the network; the application must be a service API"
                " (confidential) one."
            ) from exc
        if state.missing:
            raise CommandError(f"After the change, still: {state.missing}.")
        self.stdout.write(self.style.SUCCESS(f"{'made' if changed else 'as it should be'}: {state.string}"))
