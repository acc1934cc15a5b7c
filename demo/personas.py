"""Who takes part in the demo, and the ids under which the stand-in of the Globus cloud knows them.

alice may use everything; bob comes from the same site but is not in the premium group; charlie signed in through a
provider that is not allowed; robot is a Globus client identity: no session, so it is let in by name.
"""

GATEWAY_ID = "0de30000-0000-4000-8000-00000000c001"
SERVICE_ACCOUNT_ID = "0de30000-0000-4000-8000-00000000c002"
ROBOT_ID = "0de30000-0000-4000-8000-00000000c003"
PUBLIC_CLIENT_ID = "58fdd3bc-e1c3-4ce5-80ea-8d6b87cfb944"
"""The token script's default client."""

SITE_PROVIDER_ID = "0de30000-0000-4000-8000-00000000d001"
OTHER_PROVIDER_ID = "0de30000-0000-4000-8000-00000000d002"
ALICE_ID = "0de30000-0000-4000-8000-00000000b001"
BOB_ID = "0de30000-0000-4000-8000-00000000b002"
CHARLIE_ID = "0de30000-0000-4000-8000-00000000b003"

PREMIUM_GROUP_ID = "0de30000-0000-4000-8000-00000000a001"
ENDPOINT_ID = "0de30000-0000-4000-8000-00000000e001"

GATEWAY_SCOPE = f"https://auth.globus.org/scopes/{GATEWAY_ID}/action_all"
