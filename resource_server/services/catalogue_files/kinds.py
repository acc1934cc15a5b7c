"""What a catalogue file holds: three kinds of rows, each with the key by which a row is told from another."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

from django.db.models import Field

from resource_server.domain.states import ModelState
from resource_server.models import Cluster, Endpoint, FederatedEndpoint

Row: TypeAlias = Cluster | Endpoint | FederatedEndpoint

MAINTENANCE_FIELDS = tuple(
    field.name for field in Cluster._meta.concrete_fields if field.name.startswith(ModelState.MAINTENANCE)
)
"""What a cluster goes through, not what it is: exported only where it is asked for."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One section of a file. `key_fields` identify a row and cannot be changed by a file."""

    section: str
    model: type[Row]
    key_fields: tuple[str, ...]

    def fields(self) -> "list[Field[Any, Any]]":
        """The columns that operators write, in the model's order."""
        return [field for field in self.model._meta.concrete_fields if field.editable and not field.primary_key]

    def key_of(self, row: Row) -> str:
        """The row's name in plans, for example ``endpoints/sophia/vllm/meta-llama/Llama-3.1-8B``."""
        return "/".join([self.section, *(str(getattr(row, name)) for name in self.key_fields)])


KINDS = (
    Kind("clusters", Cluster, ("name",)),
    Kind("endpoints", Endpoint, ("cluster", "framework", "model")),
    Kind("federated_endpoints", FederatedEndpoint, ("target_model_name",)),
)
"""In the order in which files are written and changes are applied."""


def plain_fields(kind: Kind, row: Row) -> dict[str, object]:
    """The row's columns as JSON values."""
    return {field.name: _plain(getattr(row, field.attname)) for field in kind.fields()}


def _plain(value: object) -> object:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value
