"""Globus Compute targets whose serving node the gateway can reach by HTTP."""
