"""What would have to change for the catalogue to hold what a file says. Reads the database, changes nothing."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from django.db import models

from resource_server.models.fields import DerivedSlugField
from resource_server.services.catalogue_files.kinds import KINDS, Kind, Row, plain_fields
from resource_server.services.catalogue_files.reading import Document, Entry, FileInvalid, Problem
from resource_server.services.row_checks import RowInvalid, check_row


class Action(StrEnum):
    """What is done to a row."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One row's change: `row` as it will be, or as it is where it goes; `before` and `after` are its JSON values."""

    action: Action
    kind: Kind
    key: str
    row: Row
    before: dict[str, object]
    after: dict[str, object]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a file asks for.

    Attributes:
        changes: in the order in which they are applied.
        left: keys of rows that the file does not name, and that stay.
        fingerprint: of the catalogue as it was read together with `changes`: another one means that either has moved.
    """

    changes: tuple[Change, ...]
    left: tuple[str, ...]
    fingerprint: str


def build_plan(document: Document, *, prune: bool) -> Plan:
    """The plan for `document`; with `prune`, rows that it does not name go, in the sections that it has.

    A field that the file does not name keeps its value, or has its default in a new row.

    Raises:
        FileInvalid: a row breaks a rule; nothing of the file may be applied.
    """
    sections = [_build_section(document, kind, prune=prune) for kind in KINDS]
    problems = [problem for section in sections for problem in section.problems]
    if problems:
        raise FileInvalid(document.name, problems)
    changes = [change for section in sections for change in section.list_changes()]
    left = [key for section in sections for key in section.left]
    state = [[key, plain_fields(section.kind, row)] for section in sections for key, row in section.rows.items()]
    return Plan(tuple(changes), tuple(left), _fingerprint(state, changes))


@dataclass(slots=True)
class _Section:
    """One kind's rows as they are, and what the file makes of them."""

    kind: Kind
    rows: dict[str, Row]
    asked: list[tuple[Entry, Change]]
    gone: list[Change]
    left: list[str]
    problems: list[Problem]

    def list_changes(self) -> list[Change]:
        """What goes comes first: it may hold a slug that somebody else gets."""
        return self.gone + [change for _, change in self.asked if change.before != change.after]


def _build_section(document: Document, kind: Kind, *, prune: bool) -> _Section:
    rows = {kind.key_of(row): row for row in kind.model.objects.all()}
    problems: list[Problem] = []
    asked = []
    for entry in document.entries:
        if entry.kind is kind:
            change = _build_change(document, entry, rows, problems)
            asked += [(entry, change)] if change is not None else []
    named = {change.key for _, change in asked}
    unnamed = [key for key in rows if key not in named]
    goes = prune and kind.section in document.sections
    gone = [Change(Action.DELETE, kind, key, rows[key], plain_fields(kind, rows[key]), {}) for key in unnamed if goes]
    section = _Section(kind, rows, asked, gone, [] if goes else unnamed, problems)
    section.problems += _find_shared_slugs(document, section)
    return section


def _build_change(document: Document, entry: Entry, rows: dict[str, Row], problems: list[Problem]) -> Change | None:
    """The entry's change, which may change nothing; `None` where it breaks a rule."""
    fresh = entry.kind.model(**{name: entry.fields[name] for name in entry.kind.key_fields})
    key = entry.kind.key_of(fresh)
    current = rows.get(key)
    row = copy(current) if current is not None else fresh
    found = list(_set_fields(document, entry, row))
    if not found:
        try:
            check_row(row)
        except RowInvalid as exc:
            found = [_locate(document, entry, sentence) for each in exc.problems.values() for sentence in each]
    if found:
        problems += found
        return None
    _derive_slugs(entry.kind, row)
    before = plain_fields(entry.kind, current) if current is not None else {}
    action = Action.CREATE if current is None else Action.UPDATE
    return Change(action, entry.kind, key, row, before, plain_fields(entry.kind, row))


def _set_fields(document: Document, entry: Entry, row: Row) -> Iterator[Problem]:
    """Set what the file names, if YAML gave it the column's type: a guess is how a `1.10` becomes a `1.1`."""
    for field in entry.kind.fields():
        if field.name not in entry.fields:
            continue
        value = entry.fields[field.name]
        wanted = _mismatch(field, value)
        if wanted:
            yield document.problem(f"{entry.path}.{field.name}", wanted)
        else:
            # As text: of a date alone Django would make a time in its own zone, our field makes one in UTC.
            setattr(row, field.attname, value.isoformat() if isinstance(value, date) else value)


def _mismatch(field: "models.Field[object, object]", value: object) -> str:
    """What the value should be; empty where it is that."""
    if value is None:
        return "" if field.null else "is empty: give it a value, or remove the line to leave it as it is"
    if isinstance(field, models.BooleanField):
        return "" if isinstance(value, bool) else "is true or false, without quotes"
    if isinstance(field, models.IntegerField):
        return "" if isinstance(value, int) and not isinstance(value, bool) else "is a whole number, without quotes"
    if isinstance(field, models.DateTimeField):
        return "" if isinstance(value, str | date) else "is a time such as 2026-12-01T08:00:00+01:00"
    if isinstance(field, models.JSONField):
        return "holds a date: write it in quotes" if _holds_date(value) else ""
    return "" if isinstance(value, str) else "is text: write it in quotes"


def _holds_date(value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_date(item) for item in value.values())
    if isinstance(value, list):
        return any(_holds_date(item) for item in value)
    return isinstance(value, date)


def _locate(document: Document, entry: Entry, sentence: str) -> Problem:
    """The row's own sentence begins with the place inside the row: find that place's line."""
    place, colon, rest = sentence.partition(": ")
    if not colon or " " in place:
        return document.problem(entry.path, sentence)
    return document.problem(f"{entry.path}.{place}", rest)


def _derive_slugs(kind: Kind, row: Row) -> None:
    """What the row would do when it is saved: a plan shows it, and its neighbours are compared with it."""
    for field in kind.fields():
        if isinstance(field, DerivedSlugField) and field.derive is not None and not getattr(row, field.attname):
            setattr(row, field.attname, field.derive(row))


def _find_shared_slugs(document: Document, section: _Section) -> Iterator[Problem]:
    """Rows that would have a slug that another row has."""
    gone = {change.key for change in section.gone}
    final = {key: row for key, row in section.rows.items() if key not in gone}
    final |= {change.key: change.row for _, change in section.asked}
    for slug in [field.attname for field in section.kind.fields() if isinstance(field, DerivedSlugField)]:
        owners: dict[object, list[str]] = {}
        for key, row in final.items():
            owners.setdefault(getattr(row, slug), []).append(key)
        for entry, change in section.asked:
            value = getattr(change.row, slug)
            others = [key for key in owners[value] if key != change.key]
            if others:
                yield document.problem(
                    f"{entry.path}.{slug}", f"{value!r} is the slug of {others[0]} as well: give this row another"
                )


def _fingerprint(state: Iterable[object], changes: Iterable[Change]) -> str:
    asked = [[change.action, change.key, change.after] for change in changes]
    return hashlib.sha256(json.dumps([list(state), asked], sort_keys=True).encode()).hexdigest()[:16]
