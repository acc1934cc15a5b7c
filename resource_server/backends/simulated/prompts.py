"""What a framework would read in a body, and refuse."""

from dataclasses import dataclass
from typing import Any

from resource_server.domain.operations import Operation
from resource_server.domain.targets import SimulatedTarget

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_RANGES = {"temperature": (0.0, 2.0), "top_p": (0.0, 1.0), "presence_penalty": (-2.0, 2.0)}
_BYTES_PER_TOKEN = 4
_WORDS_REPEATED = 64
_FILLER = ("lorem", "ipsum", "dolor", "sit", "amet")


class Refused(Exception):
    """The framework's 400."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation asked for.

    Attributes:
        choices: for each choice the words that it repeats.
        output_tokens: of each choice; a token is a word.
        finish_reason: ``stop``, or ``length`` where the request's limit was less than the model had to say.
    """

    choices: tuple[tuple[str, ...], ...]
    prompt_tokens: int
    output_tokens: int
    finish_reason: str


def parse_generation(document: dict[str, Any], operation: Operation, target: SimulatedTarget) -> Generation:
    """Read a chat or text completion's body. Raises `Refused`."""
    for name, (low, high) in _RANGES.items():
        value = document.get(name)
        if value is not None and not (isinstance(value, int | float) and low <= value <= high):
            raise Refused(f"{name} must be between {low} and {high}", name)
    texts = _chat_texts(document) if operation is Operation.CHAT_COMPLETIONS else input_texts(document.get("prompt"))
    limit = _get_limit(document)
    prompt_tokens = count_tokens(texts)
    _check_length(prompt_tokens, limit or 0, target.max_model_len)
    spoken = texts[-1:] if operation is Operation.CHAT_COMPLETIONS else texts
    return Generation(
        choices=tuple(_pick_words(text) for text in spoken for _ in range(document.get("n") or 1)),
        prompt_tokens=prompt_tokens,
        output_tokens=min(limit or target.output_tokens, target.output_tokens),
        finish_reason="length" if limit and limit < target.output_tokens else "stop",
    )


def input_texts(value: object) -> list[str]:
    """The texts of a ``prompt`` or ``input`` in any of its four shapes; token ids are written out."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and value and isinstance(value[0], int):
        return [" ".join(map(str, value))]
    if isinstance(value, list) and value:
        return [text for item in value for text in input_texts(item)]
    raise Refused("expected a string, strings, token ids or lists of token ids")


def count_tokens(texts: list[str]) -> int:
    """About as many as a real tokenizer would find; at least one per text."""
    return sum(max(len(text) // _BYTES_PER_TOKEN, 1) for text in texts)


def _chat_texts(document: dict[str, Any]) -> list[str]:
    return [_message_text(i, message) for i, message in enumerate(document["messages"])]


def _message_text(i: int, message: dict[str, Any]) -> str:
    if message.get("role") not in _ROLES:
        raise Refused(f"messages[{i}].role: input should be one of {', '.join(sorted(_ROLES))}", "messages")
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return " ".join(str(part.get("text", "")) for part in content)
    if content is None and message.get("tool_calls"):
        return ""
    raise Refused(f"messages[{i}].content: input should be a string or a list of parts", "messages")


def _get_limit(document: dict[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        limit = document.get(name)
        if isinstance(limit, int):
            if limit < 1:
                raise Refused(f"{name} must be at least 1, got {limit}.", name)
            return limit
    return None


def _check_length(prompt_tokens: int, output_tokens: int, max_model_len: int | None) -> None:
    if max_model_len is not None and prompt_tokens + output_tokens > max_model_len:
        raise Refused(
            f"This model's maximum context length is {max_model_len} tokens. However, you requested "
            f"{prompt_tokens + output_tokens} tokens ({prompt_tokens} in the messages, {output_tokens} in the "
            "completion). Please reduce the length of the messages or completion."
        )


def _pick_words(text: str) -> tuple[str, ...]:
    return tuple(text.split(maxsplit=_WORDS_REPEATED)[:_WORDS_REPEATED]) or _FILLER
