"""Explanations of predictions: ordered as jobs, computed by a worker, stored once, given to all who asked."""
