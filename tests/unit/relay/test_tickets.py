import pytest

from resource_server.relay.tickets import Tickets

STREAM = "w1.00000000000000000000000000000000"
NOW = 1_700_000_000.0


def clock() -> float:
    return NOW


def issue(lifetime_s: float = 60) -> str:
    return Tickets(b"master", clock=clock).issue(STREAM, "polaris/vllm/llama", lifetime_s)


def test_ticket_fits_its_stream_until_it_ends() -> None:
    ticket = issue()
    assert Tickets(b"master", clock=clock).is_genuine(STREAM, ticket)
    assert not Tickets(b"master", clock=lambda: NOW + 60).is_genuine(STREAM, ticket)


def test_ticket_has_the_documented_form() -> None:
    expiry, target, mac = issue().split(".")
    assert int(expiry) == NOW + 60
    assert (len(target), len(mac)) == (16, 64)


@pytest.mark.parametrize(
    ("stream_id", "secret"),
    [("w1.10000000000000000000000000000000", b"master"), (STREAM, b"another secret")],
)
def test_ticket_of_another_stream_or_secret_is_refused(stream_id: str, secret: bytes) -> None:
    assert not Tickets(secret, clock=clock).is_genuine(stream_id, issue())


def test_every_changed_character_is_noticed() -> None:
    tickets, ticket = Tickets(b"master", clock=clock), issue()
    for place, character in enumerate(ticket):
        forged = f"{ticket[:place]}{'1' if character != '1' else '2'}{ticket[place + 1 :]}"
        assert not tickets.is_genuine(STREAM, forged), place


@pytest.mark.parametrize("ticket", ["", ".", "..", "x.y.z", "9" * 5000, "\ud800.\x00.é", "99999999999.ab.", "-1.2.3"])
def test_garbage_is_refused(ticket: str) -> None:
    assert not Tickets(b"master", clock=clock).is_genuine(STREAM, ticket)


def test_parts_cannot_be_shifted_between_the_fields() -> None:
    expiry, target, mac = issue().split(".")
    tickets = Tickets(b"master", clock=clock)
    assert not tickets.is_genuine(f"{STREAM}|{target}", f"{expiry}..{mac}")
    assert not tickets.is_genuine(STREAM, f"{expiry}0.{target}.{mac}")


def test_ticket_of_a_former_secret_is_taken_and_none_is_issued_under_it() -> None:
    old, new = Tickets(b"old", clock=clock), Tickets(b"new", [b"older", b"old"], clock=clock)
    ticket = old.issue(STREAM, "polaris/vllm/llama", lifetime_s=60)
    assert new.is_genuine(STREAM, ticket)
    assert not Tickets(b"new", [b"older"], clock=clock).is_genuine(STREAM, ticket)
    assert not old.is_genuine(STREAM, new.issue(STREAM, "polaris/vllm/llama", lifetime_s=60))
