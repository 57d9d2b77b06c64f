"""Predictions: the record, the newest values, ingest from the bridge, and reads over REST."""
