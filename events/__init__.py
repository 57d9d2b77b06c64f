"""The language spoken on NATS: streams and subjects, payload types, connection, pulling and publishing."""
