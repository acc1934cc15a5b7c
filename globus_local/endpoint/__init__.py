"""The embedded compute endpoint: takes tasks from the broker and runs them in worker processes."""
