"""A small AMQP 0-9-1 broker in pure Python: what the Globus Compute SDK, its agent, pika and aio-pika need.

Reading order: ``queues`` and ``exchanges`` hold messages, ``topology`` the named whole of them, ``channel`` carries the
methods of the protocol out, ``connection`` is the wire, ``server`` starts, stops and restarts it.
"""
