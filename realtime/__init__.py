"""Live updates: the wire protocol, the per-process hub, the consumer, and the bridge from NATS."""
