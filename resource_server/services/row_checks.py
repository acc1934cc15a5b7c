"""A catalogue row checked as a whole, with sentences by field: for every way in that is no fixture."""

from collections.abc import Iterator, Mapping

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models

Problems = dict[str, list[str]]
"""Sentences by field; each names the field, or the place inside it, and the fix."""


class RowInvalid(ValueError):
    """A row that breaks its rules."""

    def __init__(self, problems: Problems) -> None:
        super().__init__("; ".join(sentence for sentences in problems.values() for sentence in sentences))
        self.problems = problems


def check_row(row: models.Model) -> None:
    """Run the row's own checks, which also bring its values into their canonical form. Asks no database.

    Raises:
        RowInvalid: the row breaks a rule.
    """
    problems = {
        field.name: [f"{field.name}: holds a NUL or half a character, remove it"]
        for field in row._meta.concrete_fields
        if has_unstorable_text(getattr(row, field.attname))
    }
    if problems:
        raise RowInvalid(problems)
    try:
        _check_empty(row)
        row.clean_fields()
        row.clean()  # which may take the fields for what they should be
    except ValidationError as exc:
        errors = exc.update_error_dict({})
        messages = {field: [text for error in each for text in error.messages] for field, each in errors.items()}
        raise RowInvalid(describe_problems(row, messages)) from exc


def _check_empty(row: models.Model) -> None:
    """Django asks no field about an empty value, and counts `{}`, `[]` and `""` as one. Raises `ValidationError`."""
    errors = {}
    for field in row._meta.concrete_fields:
        value = getattr(row, field.attname)
        if isinstance(field, models.JSONField) and field.blank and value in field.empty_values:
            try:
                field.to_python(value)
            except ValidationError as exc:
                errors[field.name] = exc
    if errors:
        raise ValidationError(errors)


def describe_problems(row: models.Model, messages: Mapping[str, list[str]]) -> Problems:
    """Django's messages by the field that they speak of; those of the whole row begin with the field's name."""
    names = {field.name for field in row._meta.concrete_fields}
    problems: Problems = {}
    for field, sentences in messages.items():
        for sentence in sentences:
            start = sentence.partition(":")[0].partition("[")[0].partition(".")[0]
            if field == NON_FIELD_ERRORS:
                problems.setdefault(start if start in names else field, []).append(sentence)
            else:
                problems.setdefault(field, []).append(sentence if start == field else f"{field}: {sentence}")
    return problems


def has_unstorable_text(value: object) -> bool:
    """Whether a text somewhere in `value` cannot be held by PostgreSQL: a NUL, or half of a surrogate pair."""
    return any("\0" in text or any("\ud800" <= char <= "\udfff" for char in text) for text in _texts(value))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
