"""Federated endpoints, their targets as forms."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError

from resource_server.admin.audited import AuditedAdmin, SeenForm
from resource_server.admin.target_forms import build_formset
from resource_server.models import FederatedEndpoint


class FederatedEndpointForm(SeenForm[FederatedEndpoint]):
    """The row and, beside its own fields, one form for each target."""

    class Meta:
        model = FederatedEndpoint
        exclude = ("targets",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.targets if self.instance.pk is not None else []
        self.target_forms = build_formset(stored, self.data if self.is_bound else None)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.target_forms.is_valid():
            self.add_error(None, "Correct what is marked at the targets below.")
            return cleaned
        field = FederatedEndpoint._meta.get_field("targets")
        try:
            self.instance.targets = field.clean(self.target_forms.targets(), self.instance)
        except ValidationError as exc:
            self.add_error(None, exc)
        return cleaned


@admin.register(FederatedEndpoint)
class FederatedEndpointAdmin(AuditedAdmin[FederatedEndpoint]):
    """Federated endpoints."""

    form = FederatedEndpointForm
    change_form_template = "admin/resource_server/federatedendpoint/change_form.html"
    fields = ("seen", "name", "target_model_name", "description", "slug")
    list_display = ("target_model_name", "name", "number_of_targets")
    search_fields = ("target_model_name", "name")

    class Media:
        js = ("resource_server/targets.js",)
        css = {"all": ("resource_server/targets.css",)}  # noqa: RUF012 - Django's notation

    @admin.display(description="targets")
    def number_of_targets(self, row: FederatedEndpoint) -> int:
        """How many places."""
        return len(row.targets)

    def get_changeform_initial_data(self, request: Any) -> dict[str, Any]:  # noqa: ARG002 - Django's signature
        """Nothing from the address: a link must not fill in a form for somebody else to send."""
        return {}
