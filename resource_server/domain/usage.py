"""Token usage of one request."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the framework counted them; `None` where it has not said."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None

    @classmethod
    def from_json(cls, document: object) -> "Usage | None":
        """Read an OpenAI ``usage`` object; `None` if `document` is not one. Counts below 0 are not counts."""
        if not isinstance(document, dict):
            return None
        counts = [document.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")]
        clean = [n if isinstance(n, int) and not isinstance(n, bool) and n >= 0 else None for n in counts]
        return cls(*clean) if any(n is not None for n in clean) else None
