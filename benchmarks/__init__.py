"""Measures the gateway beside its peers, as ratios of one run: ``python -m benchmarks --help``."""
