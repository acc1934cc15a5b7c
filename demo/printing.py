"""What the demo tells the person at the terminal."""

import json
import textwrap
import time

QUESTION = "What is a supercomputer? Answer in one sentence."
MAX_TOKENS = 80


class Progress:
    """Progress lines, each with the seconds since the start."""

    def __init__(self) -> None:
        self._started_at = time.monotonic()

    def say(self, message: str) -> None:
        """Print one line at once, also into a pipe."""
        print(f"[{time.monotonic() - self._started_at:5.1f} s] {message}", flush=True)


def build_body(model: str, *, stream: bool) -> dict[str, object]:
    """The request that the printed lines make."""
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": MAX_TOKENS,
    }
    return {**body, "stream": True} if stream else body


def curl_line(base_url: str, token: str, model: str, *, stream: bool) -> str:
    """One line for a shell, complete in itself."""
    return (
        f"curl -sS{'N' if stream else ''} {base_url}/chat/completions -H 'Authorization: Bearer {token}' "
        f"-H 'Content-Type: application/json' -d '{json.dumps(build_body(model, stream=stream))}'"
    )


def sdk_snippet(base_url: str, token: str, model: str) -> str:
    """A program for the OpenAI SDK, complete in itself: an answer in one piece, then one as it comes."""
    return textwrap.dedent(f"""\
        from openai import OpenAI

        client = OpenAI(base_url="{base_url}", api_key="{token}")
        question = [{{"role": "user", "content": "{QUESTION}"}}]
        answer = client.chat.completions.create(model="{model}", messages=question, max_tokens={MAX_TOKENS})
        print(answer.choices[0].message.content)
        stream = client.chat.completions.create(
            model="{model}", messages=question, max_tokens={MAX_TOKENS}, stream=True
        )
        for chunk in stream:
            print("".join(choice.delta.content or "" for choice in chunk.choices), end="", flush=True)""")


def ready_text(origin: str, token: str, model: str) -> str:
    """What is printed last: a token, and lines that answer."""
    base_url = f"{origin}/resource_server/v1"
    return f"""
The gateway answers at {base_url}

Token of alice (more personas in .demo/state.json):
{token}

Ask with curl:
{curl_line(base_url, token, model, stream=False)}

Streamed:
{curl_line(base_url, token, model, stream=True)}

Ask with the OpenAI SDK (.venv/bin/python has it):
{sdk_snippet(base_url, token, model)}

Logs are in .demo/logs. Ctrl-C ends the demo."""


def federation_text(origin: str, token: str, model: str) -> str:
    """What the federated demo adds: a sequence to try in another terminal."""
    base_url = f"{origin}/resource_server/v1"
    whole = curl_line(base_url, token, model, stream=False).replace("curl -sS ", "curl -sSi ", 1)
    streamed = curl_line(base_url, token, model, stream=True).replace("curl -sSN ", "curl -sSNi ", 1)
    return f"""
Two clusters serve this model: polaris is hot, sophia has no job. In another terminal, in this folder:

1. The hot one answers: see x-gateway-cluster, x-model-state and x-gateway-route-reason.
{whole}

2. polaris dies, with its job and its node:
.venv/bin/python -m demo.cluster kill polaris

3. The same model, streamed: it is held, says where it stands, and is answered by sophia, whose job it has started.
{streamed}

4. Where the jobs are now:
curl -sS {origin}/resource_server/sophia/jobs -H 'Authorization: Bearer {token}'

5. polaris is repaired; it is cold until a request needs it:
.venv/bin/python -m demo.cluster repair polaris"""
