"""The environment, read once: every key the gateway knows, its default, its check and its meaning.

A real environment variable beats ``.env``. ``docs/settings.md`` is generated from `KEYS`.
"""
