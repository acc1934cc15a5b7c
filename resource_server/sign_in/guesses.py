"""How often somebody may try passwords of local accounts: counted in the audit, so that all workers count together."""

from datetime import timedelta

from django.http import HttpRequest
from django.utils import timezone

from resource_server.models import AuditEvent
from resource_server.services.audit import Action, Actor, Source, record_event
from resource_server.sign_in.callers import actor_of
from resource_server.sign_in.pipeline import address_of

WINDOW = timedelta(minutes=15)
MOST_OF_ADDRESS = 10
MOST_IN_ALL = 100
_TYPE = "local account"


def may_guess(request: HttpRequest) -> bool:
    """Whether this address may try another password now.

    The bound of all addresses together protects against many that each try a little; it locks local accounts out while
    it lasts, and nobody who comes by Globus.
    """
    recent = AuditEvent.objects.filter(action=Action.REFUSED, object_type=_TYPE, at__gte=timezone.now() - WINDOW)
    if recent.filter(object_key=address_of(request)).count() >= MOST_OF_ADDRESS:
        return False
    return recent.count() < MOST_IN_ALL


def note_failure(request: HttpRequest) -> None:
    """A wrong password came from this address. What was typed is not kept: it may be a password in the wrong field."""
    actor = Actor(Source.SIGN_IN, name="anonymous", request_id=actor_of(request, Source.SIGN_IN).request_id)
    record_event(actor, Action.REFUSED, _TYPE, address_of(request))
