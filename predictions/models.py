"""The record of every prediction that was ever accepted, and of what came of each."""

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


class Outcome(models.Model):
    """What came of a prediction: one row for each, made by the bridge beside the record.

    `due_at` is its market time and its horizon later; none where the horizon is no length of time. What is
    not known yet has neither `actual_price` nor `settled_at`. It is also the list of prices by market time
    in which the actual ones are looked up.
    """

    pk = models.CompositePrimaryKey("symbol", "timestamp", "model_version")
    symbol = models.CharField(max_length=32)
    timestamp = models.DateTimeField(help_text="when the pipeline made the prediction")
    model_version = models.CharField(max_length=64)
    horizon = models.CharField(max_length=64)
    as_of = models.DateTimeField(help_text="market time of the prediction")
    due_at = models.DateTimeField(null=True, help_text="market time at which the horizon has passed")
    price = models.FloatField(help_text="at the prediction")
    predicted_price = models.FloatField()
    interval_low = models.FloatField(null=True)
    interval_high = models.FloatField(null=True)
    interval_level = models.FloatField(null=True, help_text="share of outcomes that it should hold")
    actual_price = models.FloatField(null=True)
    actual_as_of = models.DateTimeField(null=True, help_text="market time of the actual price")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["symbol", "as_of", "timestamp"], name="price_by_market_time"),
            models.Index(
                fields=["symbol", "due_at"],
                condition=models.Q(settled_at=None, due_at__isnull=False),
                name="outcome_awaited",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.timestamp:%Y-%m-%dT%H:%M:%SZ} {self.model_version}"


class AccuracyDay(models.Model):
    """The sums of a symbol's outcomes by model version, horizon and UTC day of the market time.

    A year of any number of predictions is read from 365 rows. `made` counts predictions whose horizon can be
    read, `unreadable` the others, `settled` those whose outcome is known; the sums are over the latter.
    """

    pk = models.CompositePrimaryKey("symbol", "day", "model_version", "horizon")
    symbol = models.CharField(max_length=32)
    day = models.DateField()
    model_version = models.CharField(max_length=64)
    horizon = models.CharField(max_length=64)
    passed_at = models.DateTimeField(null=True, help_text="when the horizon of all of the day has passed")
    made = models.BigIntegerField()
    unreadable = models.BigIntegerField()
    settled = models.BigIntegerField()
    first_as_of = models.DateTimeField(null=True, help_text="of those that are settled")
    last_as_of = models.DateTimeField(null=True)
    error = models.FloatField(help_text="sum of absolute errors")
    relative_error = models.FloatField(help_text="sum of absolute errors as shares of the actual price")
    naive_error = models.FloatField()
    naive_relative_error = models.FloatField()
    hits = models.BigIntegerField()
    with_interval = models.BigIntegerField()
    within_interval = models.BigIntegerField()
    interval_levels = models.FloatField(help_text="sum of the levels of those with an interval")

    def __str__(self) -> str:
        return f"{self.symbol} {self.day} {self.model_version} {self.horizon}"


class SettledPlace(models.Model):
    """One row: the place in the record up to which everything has its outcome, or waits for it."""

    epoch = models.CharField(max_length=32)
    seq = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.epoch} {self.seq}"
