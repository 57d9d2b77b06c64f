"""The WebSocket protocol as values: what a client may send, what it gets, and every code. Pure."""
