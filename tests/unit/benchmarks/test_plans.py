from benchmarks.plans import Address, Plan, decode_plan


def test_decode_plan_inverts_encode() -> None:
    plan = Plan("paired", Address(8080, "/x", {"Authorization": "Bearer t"}), "m", baseline=Address(9090))

    assert decode_plan(plan.encode()) == plan
