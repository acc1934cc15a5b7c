"""Tasks through the local Globus cloud: the stock SDK's `Executor` beside the gateway's backend."""
