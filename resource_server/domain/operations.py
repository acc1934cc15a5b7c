"""The OpenAI operations that the gateway passes through."""

from enum import StrEnum


class Operation(StrEnum):
    """An operation; the value is its path below ``/v1/`` at the gateway and at the framework alike."""

    CHAT_COMPLETIONS = "chat/completions"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
