"""Pages that change rows: each change is written down with it, and none goes over what its editor has not seen."""

from typing import Any, TypeVar, cast

from django import forms
from django.contrib import admin
from django.core import signing
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, QueryDict

from resource_server.models.versions import VersionConflict, lock_version, version_of
from resource_server.services.audit import Action, Content, Source, content_of, differences, record_change
from resource_server.sign_in.callers import actor_of

Row = TypeVar("Row", bound=models.Model)

_SALT = "resource_server.admin.seen"


class SeenForm(forms.ModelForm[Row]):
    """A form that knows which state of the row its editor has seen.

    A row that has changed since then is not saved: the page comes back with everything that was typed, says what
    somebody else has changed, and the next save goes over it knowingly.
    """

    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_conflict = False
        if self.instance.pk is not None:
            self.initial["seen"] = _sign(self.instance)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance.pk is not None:
            self._check_seen(str(cleaned.get("seen", "")))
        return cleaned

    def _check_seen(self, seen: str) -> None:
        try:
            document = signing.loads(seen, salt=_SALT)
            lock_version(type(self.instance), self.instance.pk, document["version"])
        except signing.BadSignature:
            self.add_error(None, "This page is too old: load it again.")
        except VersionConflict as conflict:
            self._tell(conflict.current, document["content"])

    def _tell(self, current: models.Model | None, seen: Content) -> None:
        self.has_conflict = True
        if current is None:
            self.add_error(None, "Somebody has deleted this row since you opened it: nothing was saved.")
            return
        changes = differences(seen, content_of(current))
        told = "; ".join(f"{name}: {before!r} is now {after!r}" for name, (before, after) in changes.items())
        self.add_error(
            None,
            f"Somebody has changed this row since you opened it: {told}. Nothing was saved, and what you typed is still"
            " here. Save again to put your values over theirs.",
        )
        data = cast("QueryDict", self.data).copy()
        data[self.add_prefix("seen")] = _sign(current)
        self.data = data


class RecordingAdmin(admin.ModelAdmin[Row]):
    """Changes of a row, each with its record in the same transaction."""

    def save_model(self, request: HttpRequest, obj: Row, form: Any, change: Any) -> None:
        stored = type(obj)._default_manager.filter(pk=obj.pk).first() if change else None  # noqa: SLF001 - Django's documented name
        before = content_of(stored) if stored else None
        super().save_model(request, obj, form, change)
        record_change(actor_of(request, Source.ADMIN), Action.UPDATE if change else Action.CREATE, obj, before)

    def delete_model(self, request: HttpRequest, obj: Row) -> None:
        record_change(actor_of(request, Source.ADMIN), Action.DELETE, obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Row]) -> None:
        """Each row with its record, all or none."""
        with transaction.atomic():
            for row in queryset.select_for_update():
                self.delete_model(request, row)

    def change_row(self, request: HttpRequest, row: Row, **values: Any) -> None:
        """For actions on lists, inside a transaction: set `values`, save and record. Raises `ValidationError`."""
        before = content_of(row)
        for name, value in values.items():
            setattr(row, name, value)
        row.save()
        record_change(actor_of(request, Source.ADMIN), Action.UPDATE, row, before)


class AuditedAdmin(RecordingAdmin[Row]):
    """Records changes, and saves nothing over what its editor has not seen."""

    form = SeenForm  # type: ignore[assignment]  # generic in the row, which a class attribute cannot say
    save_on_top = True

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """As the base class; a conflict has its own status, for whoever reads no words."""
        response = super().render_change_form(request, context, *args, **kwargs)
        if getattr(context["adminform"].form, "has_conflict", False):
            response.status_code = 409
        return response


def _sign(row: models.Model) -> str:
    """What the row holds, for its editor's page to bring back; nobody can make it up."""
    return signing.dumps({"version": version_of(row), "content": content_of(row)}, salt=_SALT, compress=True)
