"""The Compute web service: functions, endpoints, tasks, and the queues between them (docs: Globus Compute Web API)."""
