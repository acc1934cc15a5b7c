"""What is measured: the gateway, the mock that stands behind everything, and the gateway's peers."""
