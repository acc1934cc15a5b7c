"""What federation promises, measured through a whole gateway: ``python -m benchmarks.federation``."""
