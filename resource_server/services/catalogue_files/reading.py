"""From the text of a catalogue file to rows that have a place in it: YAML's safe subset, read strictly."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import yaml

from resource_server.services.catalogue_files.kinds import KINDS, Kind
from resource_server.services.row_checks import has_unstorable_text

MAX_BYTES = 4 * 1024 * 1024
MAX_VALUES = 100_000
"""Aliases (``*name``) are welcome; a few lines of them could stand for more values than memory holds."""
MAX_DEPTH = 16


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `path` is where in the document, such as ``endpoints[2].api_port``; empty for the whole."""

    line: int
    path: str
    sentence: str


class FileInvalid(ValueError):
    """A file that cannot be used; every problem is named, with its line."""

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line)
        shown = [
            f"{name}:{problem.line}: {problem.path}{': ' if problem.path else ''}{problem.sentence}"
            for problem in self.problems
        ]
        super().__init__("\n".join(shown))


@dataclass(frozen=True, slots=True)
class Entry:
    """One row as the file states it: only the fields that the file names."""

    kind: Kind
    path: str
    fields: dict[str, object]


@dataclass(frozen=True, slots=True)
class Document:
    """A file that is well-formed; whether its rows are, the plan tells."""

    name: str
    entries: tuple[Entry, ...]
    lines: dict[str, int]
    sections: frozenset[str]
    """The sections that the file has, empty ones included."""

    def problem(self, path: str, sentence: str) -> Problem:
        """A problem at `path`, or at the nearest place around it that the file has a line for."""
        around = path
        while around and around not in self.lines:
            around = around[: max(around.rfind("."), around.rfind("["), 0)]
        return Problem(self.lines.get(around, 1), path, sentence)


def read_file(path: Path) -> Document:
    """The document in the file at `path`.

    Raises:
        FileInvalid: the file cannot be read, or is no catalogue file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode()
    except OSError as exc:
        raise FileInvalid(str(path), [Problem(1, "", f"cannot be read: {exc.strerror}")]) from exc
    except UnicodeDecodeError as exc:
        raise FileInvalid(str(path), [Problem(1, "", "is not UTF-8 text: save it as UTF-8")]) from exc
    if len(data) > MAX_BYTES:
        raise FileInvalid(str(path), [Problem(1, "", f"has more than {MAX_BYTES // 2**20} MiB: split it")])
    return parse_document(text, str(path))


def parse_document(text: str, name: str) -> Document:
    """The document in `text`; `name` stands in messages. Raises `FileInvalid`."""
    reader = _Reader()
    try:
        document = reader.read(text)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise FileInvalid(name, [Problem(line, "", f"is not YAML: {exc.problem or exc.context}")]) from exc
    except yaml.YAMLError as exc:
        raise FileInvalid(name, [Problem(1, "", f"is not YAML: {exc}")]) from exc
    entries = [] if reader.problems else _list_entries(document, reader)
    if reader.problems:
        raise FileInvalid(name, reader.problems)
    sections = frozenset(document) if isinstance(document, dict) else frozenset()
    return Document(name, tuple(entries), reader.lines, sections)


@dataclass(slots=True)
class _Reader:
    """Builds plain values of YAML's nodes, and remembers the line of each."""

    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _values: int = 0

    def read(self, text: str) -> object:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            return None if node is None else self._build(loader, node, "", 0)
        finally:
            loader.dispose()

    def complain(self, path: str, sentence: str) -> None:
        self.problems.append(Problem(self.lines.get(path, 1), path, sentence))

    def _build(self, loader: yaml.SafeLoader, node: yaml.Node, path: str, depth: int) -> object:
        self.lines.setdefault(path, node.start_mark.line + 1)
        self._values += 1
        if self._values > MAX_VALUES or depth > MAX_DEPTH:
            problem = f"holds more than {MAX_VALUES} values, or is nested deeper than {MAX_DEPTH}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        if isinstance(node, yaml.MappingNode) and node.tag.endswith(":map"):
            return self._build_mapping(loader, node, path, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag.endswith(":seq"):
            return [self._build(loader, item, f"{path}[{index}]", depth + 1) for index, item in enumerate(node.value)]
        return self._build_scalar(loader, node, path)

    def _build_mapping(self, loader: yaml.SafeLoader, node: yaml.MappingNode, path: str, depth: int) -> object:
        mapping: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            place = f"{path}.{key}" if path else str(key)
            if not isinstance(key_node, yaml.ScalarNode) or not key_node.tag.endswith(":str"):
                self.lines[place] = key_node.start_mark.line + 1
                self.complain(place, "is no plain name: a key is text, and merge keys (<<) are not read")
            elif key in mapping:
                self.lines[place] = key_node.start_mark.line + 1
                self.complain(place, "stands here twice: keep one")
            else:
                self.lines[place] = key_node.start_mark.line + 1
                mapping[key] = self._build(loader, value_node, place, depth + 1)
        return mapping

    def _build_scalar(self, loader: yaml.SafeLoader, node: yaml.Node, path: str) -> object:
        try:
            value: object = loader.construct_object(node)
        except (ValueError, yaml.YAMLError):
            value = ...
        if isinstance(value, float) and not math.isfinite(value):
            value = ...
        if value is not None and not isinstance(value, str | int | float | date):
            self.complain(
                path, f"{str(node.value)[:60]!r} is no value of a catalogue: if it is text, write it in quotes"
            )
        elif has_unstorable_text(value):
            self.complain(path, "holds a NUL or half a character, remove it")
        return value


def _list_entries(document: object, reader: _Reader) -> list[Entry]:
    if document is None:
        return []
    if not isinstance(document, dict):
        reader.complain("", "is a mapping with the keys " + ", ".join(kind.section for kind in KINDS))
        return []
    kinds = {kind.section: kind for kind in KINDS}
    entries = []
    for section, items in document.items():
        if section not in kinds:
            reader.complain(section, f"is no section of a catalogue file: use {', '.join(kinds)}")
        elif items is not None and not isinstance(items, list):
            reader.complain(section, "is a list: begin each of its items with '- '")
        else:
            entries += _list_section(kinds[section], items or [], reader)
    return entries


def _list_section(kind: Kind, items: list[object], reader: _Reader) -> list[Entry]:
    entries: list[Entry] = []
    seen: dict[tuple[object, ...], str] = {}
    known = [field.name for field in kind.fields()]
    for index, item in enumerate(items):
        path = f"{kind.section}[{index}]"
        if not isinstance(item, dict):
            reader.complain(path, f"is a mapping with at least: {', '.join(kind.key_fields)}")
            continue
        for name in item.keys() - set(known):
            reader.complain(f"{path}.{name}", f"is no field here: use {', '.join(known)}")
        missing = [name for name in kind.key_fields if not isinstance(item.get(name), str) or not item[name]]
        for name in missing:
            reader.complain(
                f"{path}.{name}" if name in item else path, f"{name}: is missing or no text, and names the row"
            )
        key = tuple(item.get(name) for name in kind.key_fields)
        if not missing and key in seen:
            reader.complain(path, f"is the same row as {seen[key]}: keep one")
        elif not missing:
            seen[key] = path
        entries.append(Entry(kind, path, item))
    return entries
