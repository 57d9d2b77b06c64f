"""The version of this client: packaging, the command and the User-Agent read it here."""

__version__ = "0.1.0"
