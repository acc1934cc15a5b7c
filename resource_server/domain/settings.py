"""The operator's settings as the app reads them; who parsed them, and from where, is the project's business."""

from typing import Protocol


class Settings(Protocol):
    """Values by key; the keys and their meanings are in ``docs/settings.md``."""

    def text(self, name: str) -> str:
        """The key's text; empty where it is not set."""
        ...

    def number(self, name: str) -> float:
        """The key's number."""
        ...

    def flag(self, name: str) -> bool:
        """The key's truth value."""
        ...

    def items(self, name: str) -> tuple[str, ...]:
        """The key's list."""
        ...

    def mapping(self, name: str) -> dict[str, str]:
        """The key's name-to-value object."""
        ...
