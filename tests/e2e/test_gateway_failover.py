"""A hot target whose function does not begin is left for another one, and its ticket is worth nothing any more."""

import time

from tests.e2e.compute_site import LATE, SENTENCE, Site, wait_until

BEGIN_WITHIN_S = 2.0


def test_function_that_does_not_begin_is_left_for_another_target_and_its_ticket_revoked(site: Site) -> None:
    waited: list[float] = []
    for number in range(12):  # which of two equal targets comes first is a matter of the session
        began = time.monotonic()
        answer = site.ask(LATE, session_id=f"session {number}")
        waited.append(time.monotonic() - began)
        assert (answer.status_code, answer.content) == (200, SENTENCE)
        assert answer.headers["x-gateway-cluster"] == "punctual"
        if waited[-1] >= BEGIN_WITHIN_S:
            break
    assert BEGIN_WITHIN_S <= waited[-1] < BEGIN_WITHIN_S + 5
    assert wait_until(lambda: find_verdicts(site) == [410], 20)


def find_verdicts(site: Site) -> list[int]:
    """What the relay said to functions that were late, as these told the framework."""
    return [body["relay_said"] for body in site.framework.bodies if body.get("model") == "late"]
