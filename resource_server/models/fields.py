"""Fields that check what they are given wherever it enters.

`loaddata` calls neither `save()` nor `clean()`, and for its raw rows not even a field's `pre_save`. It does call
`to_python` and send the `pre_save` signal. So checks of one value live in `to_python`, which forms and the operator
API call as well, and what needs the whole row listens to the signal.
"""

import re
from collections.abc import Callable
from datetime import UTC
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.signals import pre_save
from django.utils.text import slugify

from resource_server.domain.targets import TargetInvalid, parse_cluster_name, parse_group_ids, parse_target, parse_uuid

_DOMAIN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


def endpoint_slug(cluster: str, framework: str, model: str) -> str:
    """The display name of a key: never used to find a model."""
    return slugify(f"{cluster} {framework} {model.lower()}")


class CatalogueUUIDField(models.UUIDField[Any, Any]):
    """A UUID whose error message names the field and tells a placeholder from a typing mistake."""

    def to_python(self, value: Any) -> Any:
        if value is None or (value == "" and self.null):
            return None
        return _checked(self.name, parse_uuid, value) and super().to_python(value)


class PathNameField(models.CharField[Any, Any]):
    """A name that stands in our URLs: one segment, no fixed word."""

    def to_python(self, value: Any) -> Any:
        return _checked(self.name, parse_cluster_name, super().to_python(value))


class InstantField(models.DateTimeField[Any, Any]):
    """A point in time; one that is written without a zone is UTC."""

    def to_python(self, value: Any) -> Any:
        parsed = super().to_python(value)
        return parsed.replace(tzinfo=UTC) if parsed is not None and parsed.tzinfo is None else parsed


class GlobusGroupsField(models.JSONField):
    """Globus groups in either documented notation: a list of UUIDs, or ``"name:uuid; name:uuid"``; kept as written."""

    def to_python(self, value: Any) -> Any:
        _checked(self.name, parse_group_ids, value)
        return value

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        return super().clean(self.to_python(value), model_instance)


class DomainsField(models.JSONField):
    """A list of domains such as ``anl.gov``."""

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, list) or not all(isinstance(item, str) and _DOMAIN.fullmatch(item) for item in value):
            raise ValidationError(f'{self.name}: is a list of domains such as ["anl.gov"]')
        return [item.lower() for item in value]

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        return super().clean(self.to_python(value), model_instance)


class TargetsField(models.JSONField):
    """The list of a federated endpoint's targets, each checked by `domain.targets`; slugs are derived where empty."""

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, list):
            raise ValidationError(f"{self.name}: is a list of targets, each a JSON object")
        problems = [
            f"{self.name}[{index}].{problem}" for index, item in enumerate(value) for problem in _problems(item)
        ]
        if problems:
            raise ValidationError(problems)
        return [_with_slug(item) for item in value]

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        return super().clean(self.to_python(value), model_instance)


class DerivedSlugField(models.CharField[Any, Any]):
    """A unique slug that `derive(instance)` supplies where a fixture or a person gave none."""

    def __init__(self, *args: Any, derive: Callable[[Any], str] | None = None, **kwargs: Any) -> None:
        self.derive = derive
        super().__init__(*args, **kwargs)

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        super().contribute_to_class(cls, name, private_only)
        pre_save.connect(self._fill, sender=cls)

    def _fill(self, instance: models.Model, **_signal: Any) -> None:
        if not getattr(instance, self.attname) and self.derive is not None:
            setattr(instance, self.attname, self.derive(instance))


def _checked(field: str, check: Callable[[Any], Any], value: Any) -> Any:
    try:
        return check(value)
    except ValueError as exc:
        raise ValidationError(f"{field}: {exc}") from exc


def _problems(item: object) -> list[str]:
    try:
        parse_target(item)
    except TargetInvalid as exc:
        return exc.problems
    return []


def _with_slug(item: dict[str, Any]) -> dict[str, Any]:
    if item.get("endpoint_slug"):
        return item
    return {**item, "endpoint_slug": endpoint_slug(item["cluster"], item["framework"], item["model"])}
