"""Makes the catalogue hold what a file says: all of it in one transaction, or nothing."""

from django.db import IntegrityError, connection, transaction

from resource_server.services.audit import Action as AuditAction
from resource_server.services.audit import Actor, content_of, record_change
from resource_server.services.catalogue_files.kinds import KINDS
from resource_server.services.catalogue_files.plan import Action, Change, Plan, build_plan
from resource_server.services.catalogue_files.reading import Document


class CatalogueMoved(RuntimeError):
    """The catalogue, or the file, is not what the plan was made of; `plan` is today's."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("the catalogue has moved since the plan was made")
        self.plan = plan


def apply_document(document: Document, actor: Actor, *, expected: str, prune: bool) -> Plan:
    """Apply `document` if its plan still has the fingerprint `expected`, and write every change into the audit.

    Raises:
        FileInvalid: a row breaks a rule.
        CatalogueMoved: the plan is another one by now.
        IntegrityError: rows exchange their slugs, which takes two files.
    """
    with transaction.atomic():
        _lock_catalogue()
        plan = build_plan(document, prune=prune)
        if plan.fingerprint != expected:
            raise CatalogueMoved(plan)
        for change in plan.changes:
            _write(change, actor)
    return plan


def _lock_catalogue() -> None:
    """Nobody else writes until this transaction ends; SQLite's transactions begin that way (settings: IMMEDIATE)."""
    if connection.vendor == "postgresql":
        tables = ", ".join(connection.ops.quote_name(kind.model._meta.db_table) for kind in KINDS)
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")


def _write(change: Change, actor: Actor) -> None:
    if change.action is Action.DELETE:
        record_change(actor, AuditAction.DELETE, change.row)
        change.row.delete()
        return
    before = None
    if change.action is Action.UPDATE:
        before = content_of(change.kind.model.objects.get(pk=change.row.pk))
    try:
        change.row.save()
    except IntegrityError as exc:
        raise IntegrityError(f"{change.key}: {exc}") from exc
    record_change(actor, AuditAction(change.action.value), change.row, before)
