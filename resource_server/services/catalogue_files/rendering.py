"""A plan as people read it before they say yes."""

import json
from collections.abc import Iterator

from resource_server.services.catalogue_files.plan import Action, Change, Plan

_MAX_SHOWN = 200
_LISTED = 20


def render_plan(plan: Plan) -> str:
    """The whole plan, a line for each field that changes; ends with a line end."""
    return "".join(f"{line}\n" for line in _lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    for change in plan.changes:
        yield f"{change.action} {change.key}"
        yield from _field_lines(change)
        yield ""
    if plan.left:
        shown = [*plan.left[:_LISTED], *(["…"] if len(plan.left) > _LISTED else [])]
        yield f"Not in the file, and left as they are ({len(plan.left)}): {', '.join(shown)}"
    if not plan.changes:
        yield "No changes: the catalogue holds what the file says."
        return
    counts = [f"{sum(change.action is action for change in plan.changes)} to {action}" for action in Action]
    yield f"{', '.join(counts)}."
    yield f"Fingerprint: {plan.fingerprint}"


def _field_lines(change: Change) -> Iterator[str]:
    if change.action is Action.DELETE:
        return
    for name, after in change.after.items():
        before = change.before.get(name)
        if change.action is Action.CREATE:
            if after not in (None, "", [], {}):
                yield from _added(name, after)
        elif before != after and name == "targets":
            yield from _target_lines(_by_key(before), _by_key(after))
        elif before != after:
            yield f"  ~ {name}: {_show(before)} -> {_show(after)}"


def _added(name: str, value: object) -> Iterator[str]:
    if name == "targets":
        yield from _target_lines({}, _by_key(value))
    else:
        yield f"  + {name}: {_show(value)}"


def _target_lines(before: dict[str, dict[str, object]], after: dict[str, dict[str, object]]) -> Iterator[str]:
    for key in before.keys() - after.keys():
        yield f"  - targets[{key}]"
    for key, target in after.items():
        old = before.get(key)
        if old is None:
            yield f"  + targets[{key}]: {_show(target)}"
            continue
        for name in dict.fromkeys((*old, *target)):
            if old.get(name) != target.get(name):
                yield f"  ~ targets[{key}].{name}: {_show(old.get(name))} -> {_show(target.get(name))}"
    kept = [key for key in before if key in after]
    if kept != [key for key in after if key in before]:
        yield f"  ~ targets, in the order: {', '.join(after)}"


def _by_key(targets: object) -> dict[str, dict[str, object]]:
    """Targets by their key; the same key a second time is counted, and what is no target stands by its position."""
    found: dict[str, dict[str, object]] = {}
    for index, item in enumerate(targets if isinstance(targets, list) else []):
        target = item if isinstance(item, dict) else {"?": item}
        key = "/".join(str(target.get(name, "?")) for name in ("cluster", "framework", "model"))
        found[key if key not in found else f"{key}#{index}"] = target
    return found


def _show(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
