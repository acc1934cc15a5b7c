"""Before the demo prints its lines, it makes the same requests itself, through the official client."""

import time

import openai

from demo.catalogue import Models
from demo.errors import DemoError
from demo.printing import MAX_TOKENS, QUESTION
from demo.processes import Children

ATTEMPT_TIMEOUT_S = 30.0
PAUSE_S = 0.5


def check_answers(base_url: str, token: str, models: Models, children: Children, wait_s: float) -> None:
    """Ask until the chat model answers, streamed and not, and the embedding model answers.

    The compute endpoint may need a moment to come online. Raises `DemoError` after `wait_s`, or if a child ends.
    """
    give_up_at = time.monotonic() + wait_s
    with openai.OpenAI(base_url=base_url, api_key=token, timeout=ATTEMPT_TIMEOUT_S, max_retries=0) as client:
        while True:
            try:
                _ask(client, models)
            except openai.OpenAIError as exc:
                children.check_alive()
                if time.monotonic() > give_up_at:
                    raise DemoError(f"The gateway runs, but a request fails: {exc}") from exc
                time.sleep(PAUSE_S)
            else:
                return


def _ask(client: openai.OpenAI, models: Models) -> None:
    """Make each request once. Raises `openai.OpenAIError` if one fails, `DemoError` if an answer is empty."""
    answer = client.chat.completions.create(
        model=models.chat, messages=[{"role": "user", "content": QUESTION}], max_tokens=MAX_TOKENS
    )
    stream = client.chat.completions.create(
        model=models.chat, messages=[{"role": "user", "content": QUESTION}], max_tokens=MAX_TOKENS, stream=True
    )
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    embeddings = client.embeddings.create(model=models.embedding, input=QUESTION)
    if not (answer.choices[0].message.content and streamed and embeddings.data[0].embedding):
        raise DemoError("The gateway runs, but an answer is empty.")
