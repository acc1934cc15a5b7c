"""The body of an inference request: read what the gateway must know, forward the rest untouched.

`parse_body` holds before a target is known; `check_for_target` and `encode_for_target` once it is.
"""

from collections.abc import Collection
from dataclasses import dataclass

import orjson

from resource_server.domain.errors import InvalidValue, RequestTooLarge, UnsupportedOperation, UnsupportedParameter
from resource_server.domain.media import check_media
from resource_server.domain.operations import Operation
from resource_server.domain.strict_json import parse_json as parse_json
from resource_server.domain.targets import Caps, Target

NEVER_ALLOWED = frozenset({"openai_endpoint", "api_port"})
"""They steer the function on the cluster: no target's row can open them to clients."""

REFUSED = NEVER_ALLOWED | {
    "allowed_token_ids",
    "bad_words",
    "cache_salt",
    "chat_template",
    "chat_template_kwargs",
    "kv_transfer_params",
    "priority",
    "prompt_embeds",
    "prompt_logprobs",
}
"""Fields that reach into the engine or into other users' state."""

TEMPLATE_SWITCHES = frozenset({"enable_thinking", "thinking", "thinking_budget", "reasoning_effort"})
"""Keys of ``chat_template_kwargs`` that only switch the model's reasoning."""

_STREAMING = frozenset({Operation.CHAT_COMPLETIONS, Operation.COMPLETIONS})
_CAPPED = {
    "n": "n",
    "best_of": "best_of",
    "logprobs": "logprobs",
    "top_logprobs": "top_logprobs",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
}
"""Body field → the target's cap on it."""


@dataclass(slots=True)
class RequestBody:
    """A request body that passed `parse_body`.

    Attributes:
        document: the parsed `raw`; never changed.
        raw: the client's bytes.
        model: what the client calls the model: a name to look up, never sent downstream.
        include_usage: the client asked for the usage chunk of a stream.
    """

    operation: Operation
    document: dict[str, object]
    raw: bytes
    model: str
    stream: bool
    include_usage: bool


def parse_body(raw: bytes, operation: Operation) -> RequestBody:
    """Read and validate what the gateway itself depends on. ``null`` stands for an absent optional field.

    Raises:
        InvalidValue: with `param` set where one field is at fault.
    """
    document = parse_json(raw)
    model = document.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidValue("'model' must be the name of a model, as GET /v1/models lists them.", param="model")
    stream = _get_flag(document, "stream", "stream")
    if stream and operation not in _STREAMING:
        raise InvalidValue(f"{operation} answers in one piece: leave 'stream' out.", param="stream")
    _check_integers(document)
    _INPUT_CHECKS[operation](document)
    return RequestBody(operation, document, raw, model, stream, _get_include_usage(document, stream=stream))


def check_for_target(body: RequestBody, target: Target) -> None:
    """Refuse what this target does not take.

    Raises:
        UnsupportedOperation: the target does not serve the operation.
        UnsupportedParameter: a refused or capped field, or media by URL; `param` names it.
        RequestTooLarge: the body is over the target's cap.
    """
    if body.operation not in target.operations:
        raise UnsupportedOperation(f"This model does not serve {body.operation}: GET /v1/models lists what it does.")
    if target.max_body_bytes is not None and len(body.raw) > target.max_body_bytes:
        raise RequestTooLarge(f"This model takes request bodies of at most {target.max_body_bytes} bytes.")
    if not REFUSED.isdisjoint(body.document):
        _check_refused(body.document, target.allowed_parameters)
    _check_caps(body.document, target.caps)
    check_media(body.document.get("messages"), target.media_hosts)


def encode_for_target(body: RequestBody, target: Target) -> bytes:
    """The JSON to send: the client's own bytes unless the model's name or the usage option must change.

    A stream always asks for usage, which is how it is charged; `domain.sse.StreamTap` drops the extra chunk again.
    """
    asks_usage = body.stream and not body.include_usage
    if not asks_usage and body.model == target.model:
        return body.raw
    document = {**body.document, "model": target.model}
    if asks_usage:
        options = body.document.get("stream_options")
        document["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return orjson.dumps(document)


def _get_flag(document: dict[str, object], name: str, param: str) -> bool:
    value = document.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidValue(f"'{param}' must be true or false.", param=param)
    return bool(value)


def _get_include_usage(document: dict[str, object], *, stream: bool) -> bool:
    options = document.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise InvalidValue("'stream_options' must be an object.", param="stream_options")
    if not stream:
        raise InvalidValue("'stream_options' is only for requests with 'stream': true.", param="stream_options")
    return _get_flag(options, "include_usage", "stream_options.include_usage")


def _check_integers(document: dict[str, object]) -> None:
    for name, least in (("max_tokens", 0), ("max_completion_tokens", 0), ("n", 1), ("best_of", 1)):
        value = document.get(name)
        if value is not None and (type(value) is not int or value < least):
            raise InvalidValue(f"'{name}' must be a whole number of at least {least}.", param=name)


def _check_messages(document: dict[str, object]) -> None:
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages or set(map(type, messages)) != {dict}:
        raise InvalidValue("'messages' must be a list of at least one message object.", param="messages")


def _check_prompt(document: dict[str, object]) -> None:
    prompt = document.get("prompt")
    if prompt is None and document.get("prompt_embeds") is not None:
        return
    _check_text_or_tokens(prompt, "prompt")


def _check_input(document: dict[str, object]) -> None:
    _check_text_or_tokens(document.get("input"), "input")


def _check_text_or_tokens(value: object, param: str) -> None:
    if isinstance(value, str):
        return
    kinds = set(map(type, value)) if isinstance(value, list) else set()
    if kinds in ({str}, {int}):
        return
    if kinds == {list} and isinstance(value, list) and all(set(map(type, tokens)) == {int} for tokens in value):
        return
    raise InvalidValue(
        f"'{param}' must be a string, a list of strings, a list of token ids or a list of such lists, not empty.",
        param=param,
    )


_INPUT_CHECKS = {
    Operation.CHAT_COMPLETIONS: _check_messages,
    Operation.COMPLETIONS: _check_prompt,
    Operation.EMBEDDINGS: _check_input,
}


def _check_refused(document: dict[str, object], allowed: Collection[str]) -> None:
    for name in sorted(REFUSED & document.keys()):
        value = document[name]
        if value is None or (name in allowed and name not in NEVER_ALLOWED):
            continue
        if name != "chat_template_kwargs":
            raise UnsupportedParameter(f"This model does not take '{name}': leave it out.", param=name)
        _check_template_switches(value)


def _check_template_switches(value: object) -> None:
    if not isinstance(value, dict):
        raise InvalidValue("'chat_template_kwargs' must be an object.", param="chat_template_kwargs")
    for key, switch in value.items():
        if key not in TEMPLATE_SWITCHES or isinstance(switch, dict | list):
            raise UnsupportedParameter(
                f"This model does not take '{key[:100]}' in 'chat_template_kwargs', only plain values of "
                f"{', '.join(sorted(TEMPLATE_SWITCHES))}.",
                param=f"chat_template_kwargs.{key[:100]}",
            )


def _check_caps(document: dict[str, object], caps: Caps) -> None:
    for name in _CAPPED.keys() & document.keys():
        value = document[name]
        # Chat's `logprobs` is a flag. Text is refused although a lenient framework would read "999" as a number.
        if value is None or (name == "logprobs" and isinstance(value, bool)):
            continue
        if type(value) is not int:
            raise InvalidValue(f"'{name}' must be a whole number.", param=name)
        cap: int | None = getattr(caps, _CAPPED[name])
        if cap is not None and not -1 < value <= cap:
            raise UnsupportedParameter(f"This model takes at most {cap} for '{name}'.", param=name)
