"""The gateway's app."""

VERSION = "0.1.0"
"""As in ``pyproject.toml``, which a container does not have."""
