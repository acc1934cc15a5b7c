"""How to connect, as text to copy. Model names are the operators': each is quoted for the language it stands in."""

import json
import shlex
from dataclasses import dataclass

ANY_MODEL = "MODEL"
"""Stands where no model is known that the reader may use."""
QUESTION = "What is a supercomputer?"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One text to copy. `name` is unique on the page, of letters and hyphens."""

    name: str
    title: str
    text: str


def build_snippets(base_url: str, model: str | None) -> list[Snippet]:
    """The token, then the ways to use it, for the gateway at `base_url` (up to ``/v1``)."""
    return [
        Snippet("token", "Log in, and get a token", _write_token(base_url)),
        Snippet("curl", "curl", _write_curl(model or ANY_MODEL)),
        Snippet("python", "Python, with the OpenAI SDK", _write_python(model or ANY_MODEL)),
    ]


def _write_token(base_url: str) -> str:
    return "\n".join(
        (
            "python inference-auth-token.py authenticate",
            f"export OPENAI_BASE_URL={shlex.quote(base_url)}",
            'export OPENAI_API_KEY="$(python inference-auth-token.py get_access_token)"',
        )
    )


def _write_curl(model: str) -> str:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": QUESTION}]}, ensure_ascii=False)
    return "\n".join(
        (
            'curl -sS "$OPENAI_BASE_URL/chat/completions" \\',
            '  -H "Authorization: Bearer $OPENAI_API_KEY" \\',
            '  -H "Content-Type: application/json" \\',
            f"  -d {shlex.quote(body)}",
        )
    )


def _write_python(model: str) -> str:
    return "\n".join(
        (
            "from openai import OpenAI",
            "",
            "client = OpenAI()  # reads OPENAI_BASE_URL and OPENAI_API_KEY",
            "answer = client.chat.completions.create(",
            f"    model={json.dumps(model)},",
            f"    messages=[{json.dumps({'role': 'user', 'content': QUESTION})}],",
            ")",
            "print(answer.choices[0].message.content)",
        )
    )
