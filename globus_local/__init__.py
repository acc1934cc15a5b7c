"""A local stand-in of the Globus cloud: Auth, Groups and Compute on one loopback port.

It speaks to the unmodified Globus SDKs and the unmodified Globus Compute agent, keeps everything in memory, and can
be told to misbehave. `python -m globus_local serve` starts it; `globus_local/README.md` tells the rest.
"""
