"""The live state of clusters: reports, and what they make of each target. The loops are in services."""
