"""A simulated fleet under the shipped ranking: ``python -m benchmarks.routing``."""
