"""The record of every prediction that was ever accepted."""

from __future__ import annotations

from django.db import models


class Prediction(models.Model):
    """One row per (symbol, timestamp, model version): a second arrival of the same one changes nothing.

    The natural key is the primary key: it makes ingest idempotent, serves newest-first reads from its
    own index, and lets TimescaleDB partition by time, which demands the time in every unique index.
    """

    pk = models.CompositePrimaryKey("symbol", "timestamp", "model_version")
    symbol = models.CharField(max_length=32)
    timestamp = models.DateTimeField(help_text="when the pipeline made the prediction")
    model_version = models.CharField(max_length=64)
    as_of = models.DateTimeField(help_text="market time of the newest input")
    current_price = models.FloatField()
    predicted_price = models.FloatField()
    confidence = models.FloatField()
    horizon = models.CharField(max_length=64)
    features = models.JSONField(null=True)
    seq = models.BigIntegerField(help_text="JetStream stream sequence of the message")
    epoch = models.CharField(max_length=32, help_text="life of the stream that seq counts in")

    class Meta:
        indexes = [
            models.Index(fields=["symbol", "-timestamp", "-seq"], name="prediction_newest_first"),
            # For those who come back and ask what they have missed.
            models.Index(fields=["epoch", "seq"], name="prediction_by_place"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.timestamp:%Y-%m-%dT%H:%M:%SZ} {self.model_version}"
