"""Rules about numbers: what is allowed is bounded, and a value beyond the bound is not bent in silence."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from resource_server.checks.rule import Problem, Rule
from resource_server.domain.settings import Settings


def _find_outside(name: str, low: float, high: float, reason: str, settings: Settings) -> Iterator[Problem]:
    value = settings.number(name)
    if not low <= value <= high:
        yield Problem(f"{name} is {value:g}: {reason}.", f"Write a number from {low:g} to {high:g}.")


def _find_debug_lines(settings: Settings) -> Iterator[Problem]:
    if settings.text("LOG_LEVEL") == "DEBUG":
        yield Problem(
            "LOG_LEVEL is DEBUG: libraries would write what people send into the log.", "Use INFO or WARNING."
        )


def _find_unwritable_log(settings: Settings) -> Iterator[Problem]:
    path = settings.text("LOG_FILE")
    if path and not os.access(path if Path(path).exists() else Path(path).parent, os.W_OK):
        yield Problem(
            f"LOG_FILE is {path!r}, which this user cannot write.",
            "Make its folder for the gateway's user, or remove it: records then go to standard error.",
        )


def _bound(identifier: str, name: str, low: float, high: float, reason: str) -> Rule:
    title = f"{name} is outside {low:g} to {high:g}"
    return Rule(identifier, title, partial(_find_outside, name, low, high, reason), in_development=low == 0)


RULES = (
    _bound("E033", "INTROSPECTION_CACHE_S", 0, 30, "a revoked token would be believed for longer than 30 s"),
    _bound("E034", "GROUPS_CACHE_S", 0, 60, "somebody who left a group would be believed for longer than 60 s"),
    _bound("E035", "AUTH_OUTAGE_GRACE_S", 0, 300, "without Globus nobody is believed for longer than 300 s"),
    _bound("E036", "MAX_BODY_BYTES", 1024, 64 * 1024**2, "Globus Compute takes 10 MB, and bodies are held in memory"),
    _bound("E037", "HOLD_MAX_S", 1, 86_400, "nobody waits so long, or so short, for a model"),
    _bound("E038", "STATUS_INTERVAL_S", 5, 3600, "clusters' schedulers are asked too often, or too seldom"),
    _bound("E039", "WEB_CONCURRENCY", 1, 128, "that many processes do not fit one machine"),
    _bound("E042", "DRAIN_S", 0, 86_400, "a process that was told to stop would stay for days"),
    Rule("E043", "LOG_FILE cannot be written", _find_unwritable_log, in_development=True),
    Rule("E040", "LOG_LEVEL is DEBUG in production", _find_debug_lines),
)
