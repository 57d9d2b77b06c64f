"""The pure parts of the Python client."""
