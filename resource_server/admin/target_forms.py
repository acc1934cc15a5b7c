"""Targets as forms, one for each: what is typed becomes the JSON of the catalogue, and its schema has the last word."""

import json
from copy import deepcopy
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from resource_server.admin.target_fields import BACKENDS, FIELDS, GROUPS, OF_BACKEND, TargetField
from resource_server.domain.targets import TargetInvalid, parse_target

PREFIX = "targets"
MOST_TARGETS = 200

_BY_NAME = {field.name: field for field in FIELDS}


class TargetForm(forms.Form):
    """One target. Fields that nobody touches keep the very value, or the absence, that the row has."""

    backend = forms.ChoiceField(choices=list(BACKENDS.items()), initial="globus_compute")
    document = forms.CharField(widget=forms.HiddenInput, required=False, initial="{}")
    """The target as the page was opened with; the rest of the form is a change to it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in FIELDS:
            self.fields[field.name] = forms.CharField(
                label=field.label, help_text=field.hint, required=False, widget=field.widget(), strip=True
            )

    def has_changed(self) -> bool:
        """Whether anything was typed: a form's place in the list is nothing."""
        return not {"ORDER", "DELETE"}.issuperset(self.changed_data)

    def groups(self) -> list[dict[str, Any]]:
        """The fields under their headings, for the template; a heading is open where there is something to see."""
        named = {
            group: [self[field.name] for field in FIELDS if field.group == group and field.name in self.fields]
            for group in GROUPS
        }
        return [
            {
                "title": group,
                "backend": OF_BACKEND.get(group, ""),
                "fields": bound,
                "is_open": index == 0 or any(field.errors or field.value() for field in bound),
            }
            for index, (group, bound) in enumerate(named.items())
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        cleaned["target"] = target = self._merge(_parse_document(cleaned.get("document", "")), cleaned)
        try:
            parse_target(target)
        except TargetInvalid as exc:
            for problem in exc.problems:
                self._blame(problem)
        return cleaned

    def _merge(self, seen: dict[str, Any], cleaned: dict[str, Any]) -> dict[str, Any]:
        target = deepcopy(seen)
        backend = cleaned.get("backend", "")
        if backend != seen.get("backend", "globus_compute"):
            target["backend"] = backend
        for field in FIELDS:
            text = _normal(cleaned.get(field.name, ""))
            is_untouched = text == _normal(show(field, seen))
            if is_untouched and OF_BACKEND.get(field.group, backend) != backend:
                _remove(target, field)  # of the backend that it had
            elif not is_untouched:
                _set(target, field, field.read(text)) if text else _remove(target, field)
        return target

    def _blame(self, problem: str) -> None:
        """Put one of the schema's sentences beside the field that it speaks of."""
        place, _, sentence = problem.partition(": ")
        parts = place.split(".")
        names = ["__".join(parts[:length]) for length in range(len(parts), 0, -1)]
        name = next((name for name in names if name in self.fields), None)
        self.add_error(name, sentence if name else problem)


class TargetFormSet(forms.BaseFormSet[TargetForm]):
    """All targets of one row, in the operator's order."""

    ordering_widget = forms.HiddenInput

    def targets(self) -> list[dict[str, Any]]:
        """The targets that stay, in their order; after `is_valid`."""
        return [form.cleaned_data["target"] for form in self.ordered_forms if "target" in form.cleaned_data]


def build_formset(targets: list[Any], data: Any = None) -> TargetFormSet:
    """The forms of these targets, or what was sent of them."""
    kind = forms.formset_factory(
        TargetForm,
        formset=TargetFormSet,
        extra=0 if targets else 1,
        can_order=True,
        can_delete=True,
        max_num=MOST_TARGETS,
        absolute_max=MOST_TARGETS,
        validate_max=True,
    )
    known = [target for target in targets if isinstance(target, dict)]
    formset = kind(data, initial=[_initial_of(target) for target in known], prefix=PREFIX)
    assert isinstance(formset, TargetFormSet)  # noqa: S101 - what the factory was told
    return formset


def show(field: TargetField, target: dict[str, Any]) -> str:
    """The target's value as the form shows it."""
    value: Any = target
    for key in field.path:
        value = value.get(key) if isinstance(value, dict) else None
    return field.show(value)


def _initial_of(target: dict[str, Any]) -> dict[str, Any]:
    return {
        "backend": target.get("backend", "globus_compute"),
        "document": json.dumps(target),
        **{field.name: show(field, target) for field in FIELDS},
    }


def _parse_document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text or "{}")
    except ValueError as exc:
        raise ValidationError("This page is damaged: load it again.") from exc
    if not isinstance(document, dict):
        raise ValidationError("This page is damaged: load it again.")
    return document


def _normal(text: str) -> str:
    """As browsers send lines, and as we keep them."""
    return text.replace("\r\n", "\n").strip()


def _set(target: dict[str, Any], field: TargetField, value: object) -> None:
    for key in field.path[:-1]:
        target = target.setdefault(key, {})
    target[field.path[-1]] = value


def _remove(target: dict[str, Any], field: TargetField) -> None:
    for key in field.path[:-1]:
        inner = target.get(key)
        if not isinstance(inner, dict):
            return
        target = inner
    target.pop(field.path[-1], None)
