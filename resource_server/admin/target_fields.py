"""A target's fields as a form shows them: which there are, how each is written, what it means."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms

from resource_server.domain.operations import Operation

Value = Any

BACKENDS = {
    "globus_compute": "Globus Compute",
    "openai_http": "HTTP, without Globus Compute",
    "simulated": "Simulated, no hardware",
}


def _show_text(value: Value) -> str:
    return "" if value is None else str(value)


def _show_lines(value: Value) -> str:
    return "\n".join(str(item) for item in value) if isinstance(value, list | tuple) else _show_text(value)


def _read_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _read_groups(text: str) -> object:
    """Either documented notation: one UUID on each line, or ``name:uuid; name:uuid``."""
    return text.strip() if ":" in text or ";" in text else _read_lines(text)


def _read_number(text: str) -> object:
    """The number; text that is none is for the schema to refuse by name."""
    try:
        return json.loads(text)
    except ValueError:
        return text


@dataclass(frozen=True, slots=True)
class TargetField:
    """One field.

    Attributes:
        path: its place in the target's JSON object, such as ``("caps", "n")``.
        label: what people read.
        group: under which heading it stands.
        hint: what it means, and what holds where it is empty.
        show: from the JSON value to the text in the form.
        read: from a text that is not empty to the JSON value.
    """

    path: tuple[str, ...]
    label: str
    group: str
    hint: str = ""
    show: Callable[[Value], str] = _show_text
    read: Callable[[str], object] = str
    widget: Callable[[], forms.Widget] = forms.TextInput

    @property
    def name(self) -> str:
        """Of the form's field."""
        return "__".join(self.path)


def _text(group: str, name: str, label: str, hint: str = "") -> TargetField:
    return TargetField((name,), label, group, hint)


def _number(group: str, path: str, label: str, hint: str = "") -> TargetField:
    return TargetField(tuple(path.split(".")), label, group, hint, read=_read_number)


def _lines(group: str, name: str, label: str, hint: str = "") -> TargetField:
    return TargetField((name,), label, group, f"One on each line. {hint}", _show_lines, _read_lines, _build_area)


def _build_area() -> forms.Widget:
    return forms.Textarea(attrs={"rows": 2})


PLACE, ACCESS, COMPUTE, HTTP, SIMULATED, LIMITS = (
    "Place",
    "Who may use it",
    "Globus Compute",
    "HTTP",
    "Simulated",
    "Limits and parameters",
)
GROUPS = (PLACE, ACCESS, COMPUTE, HTTP, SIMULATED, LIMITS)
OF_BACKEND = {COMPUTE: "globus_compute", HTTP: "openai_http", SIMULATED: "simulated"}
"""Headings whose fields only one backend's targets have."""

_NEVER_THE_KEY = "An environment variable's name, never the key."

FIELDS = (
    _text(PLACE, "cluster", "Cluster"),
    _text(PLACE, "framework", "Framework", "Such as vllm."),
    _text(PLACE, "model", "Model", "As the framework knows it."),
    _text(PLACE, "endpoint_slug", "Slug", "Empty: made of the three above."),
    TargetField(
        ("allowed_globus_groups",),
        "Globus groups",
        ACCESS,
        "UUIDs, one on each line. Empty: everybody.",
        _show_lines,
        _read_groups,
        _build_area,
    ),
    _text(COMPUTE, "endpoint_uuid", "Endpoint UUID"),
    _text(COMPUTE, "function_uuid", "Function UUID"),
    _number(COMPUTE, "api_port", "Port on the node", "Empty: 8000."),
    TargetField(
        ("relay",),
        "Streams through the relay",
        COMPUTE,
        "The registered function is the gateway's own.",
        show=lambda value: "True" if value is True else "",
        read=lambda text: text == "True",
        widget=lambda: forms.Select(choices=[("", "No"), ("True", "Yes")]),
    ),
    _lines(COMPUTE, "direct_hosts", "Direct hosts", "Nodes that may be asked by HTTP. Empty: none."),
    _text(COMPUTE, "direct_scheme", "Direct scheme", "http or https. Empty: http."),
    _number(COMPUTE, "direct_port", "Direct port", "Empty: the port on the node."),
    _text(COMPUTE, "direct_ca_file", "Direct CA file"),
    _text(COMPUTE, "direct_api_key_variable", "Direct key's variable", _NEVER_THE_KEY),
    _text(HTTP, "base_url", "Address", "Up to and including /v1."),
    _text(HTTP, "api_key_variable", "Key's variable", _NEVER_THE_KEY),
    _text(HTTP, "ca_file", "CA file"),
    _number(SIMULATED, "first_token_ms", "First token, ms"),
    _number(SIMULATED, "token_interval_ms", "Between tokens, ms"),
    _number(SIMULATED, "output_tokens", "Tokens of an answer"),
    _number(SIMULATED, "cold_start_s", "Cold start, s"),
    _number(SIMULATED, "idle_stop_s", "Cold again after, s"),
    _lines(LIMITS, "operations", "Operations", f"Of: {', '.join(Operation)}. Empty: all."),
    _lines(LIMITS, "allowed_parameters", "Further parameters", "Body fields that are refused otherwise."),
    _lines(LIMITS, "media_hosts", "Media hosts", "From where media may come by URL."),
    _number(LIMITS, "max_concurrency", "Requests at once", "From one gateway process. Empty: 512."),
    _number(LIMITS, "max_body_bytes", "Largest body, bytes"),
    _number(LIMITS, "max_model_len", "Model's context, tokens"),
    _number(LIMITS, "timeout_s", "Whole request, s", "Empty: 1800."),
    _number(LIMITS, "idle_timeout_s", "Silence in a stream, s", "Empty: 120."),
    _number(LIMITS, "caps.n", "Cap of n", "Empty: 16."),
    _number(LIMITS, "caps.best_of", "Cap of best_of", "Empty: 16."),
    _number(LIMITS, "caps.logprobs", "Cap of logprobs", "Empty: 20."),
    _number(LIMITS, "caps.top_logprobs", "Cap of top_logprobs", "Empty: 20."),
    _number(LIMITS, "caps.max_output_tokens", "Cap of output tokens", "Empty: the framework's."),
)
