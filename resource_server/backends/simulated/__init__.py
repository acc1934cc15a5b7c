"""Models without hardware, for load tests, demonstrations and failures on demand; see `faults` for the latter."""

from resource_server.backends.simulated.backend import SimulatedBackend as SimulatedBackend
