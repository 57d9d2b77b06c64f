"""The statements of `predictions.settling`, for Postgres and SQLite: what the slice of a record brings.

A slice is what lies after one place of the stream and up to another. The first half notes each prediction of
it with the end of its horizon, the second settles whoever waits for a market time that the slice has reached;
both add to the sums of the day. `made` and `settled` are what was written, as rows: in Postgres from the
statement itself, in SQLite given back as JSON.
"""

from __future__ import annotations

from predictions.models import AccuracyDay, Outcome, Prediction

_RECORD, _OUTCOMES, _DAYS = (model._meta.db_table for model in (Prediction, Outcome, AccuracyDay))
# Sums of what lies within cannot overflow, whatever a pipeline sends; what lies outside has no outcome.
_WITHIN = "BETWEEN 1e-30 AND 1e30"
_OF_SLICE = "(p.epoch, p.seq) > (%s, %s) AND (p.epoch, p.seq) <= (%s, %s)"

# 1. Each prediction of the slice is noted with its end, and counted.

_MEASURABLE = f"p.current_price {_WITHIN} AND p.predicted_price {_WITHIN} AND p.as_of < '9900-01-01'"
_NOTED = (
    "symbol, timestamp, model_version, horizon, as_of, due_at, price, predicted_price,"
    " interval_low, interval_high, interval_level"
)
_NOTE_POSTGRES = f"""
INSERT INTO {_OUTCOMES} ({_NOTED})
SELECT p.symbol, p.timestamp, p.model_version, p.horizon, p.as_of,
    CASE WHEN {_MEASURABLE} THEN p.as_of + length_us * interval '1 microsecond' END,
    p.current_price, p.predicted_price,
    CASE WHEN is_interval THEN low END, CASE WHEN is_interval THEN high END,
    CASE WHEN is_interval THEN level END
FROM (
    SELECT p.*, (%s::jsonb ->> p.horizon)::int8 AS length_us,
        CASE WHEN jsonb_typeof(features -> 'interval_low') = 'number'
            THEN (features -> 'interval_low')::float8 END AS low,
        CASE WHEN jsonb_typeof(features -> 'interval_high') = 'number'
            THEN (features -> 'interval_high')::float8 END AS high,
        CASE WHEN jsonb_typeof(features -> 'interval_level') = 'number'
            THEN (features -> 'interval_level')::float8 END AS level
    FROM {_RECORD} AS p WHERE {_OF_SLICE} OFFSET 0
) AS p, LATERAL (SELECT low <= high AND level > 0 AND level < 1 AS is_interval) AS checked
ON CONFLICT DO NOTHING
RETURNING symbol, model_version, horizon, as_of, due_at
"""  # noqa: S608 - constants
_NUMBER_IN_SQLITE = (
    "CASE WHEN json_type(features, '$.{0}') IN ('integer', 'real') THEN json_extract(features, '$.{0}') END"
)
NOTE_SQLITE = f"""
INSERT INTO {_OUTCOMES} ({_NOTED})
SELECT p.symbol, p.timestamp, p.model_version, p.horizon, p.as_of,
    CASE WHEN {_MEASURABLE} AND length_us IS NOT NULL
        THEN django_format_dtdelta('+', p.as_of, length_us) END,
    p.current_price, p.predicted_price,
    CASE WHEN is_interval THEN low END, CASE WHEN is_interval THEN high END,
    CASE WHEN is_interval THEN level END
FROM (
    SELECT *, low <= high AND level > 0 AND level < 1 AS is_interval FROM (
        SELECT p.*, (SELECT value FROM json_each(%s) WHERE key = p.horizon) AS length_us,
            {_NUMBER_IN_SQLITE.format("interval_low")} AS low,
            {_NUMBER_IN_SQLITE.format("interval_high")} AS high,
            {_NUMBER_IN_SQLITE.format("interval_level")} AS level
        FROM {_RECORD} AS p WHERE {_OF_SLICE}
    )
) AS p WHERE true
ON CONFLICT DO NOTHING
RETURNING symbol, model_version, horizon, as_of, due_at
"""  # noqa: S608 - constants
_NEW_POSTGRES = """
SELECT symbol, model_version, horizon, day, due_at,
    (day + 1)::timestamp AT TIME ZONE 'UTC' + (due_at - as_of) AS passed_at
FROM noted, LATERAL (SELECT (as_of AT TIME ZONE 'UTC')::date AS day) AS of_day
"""
FIELD_SQLITE = "json_extract(value, '$.{0}') AS {0}"
_SUMS = (
    "made, unreadable, settled, error, relative_error, naive_error, naive_relative_error, hits,"
    " with_interval, within_interval, interval_levels"
)
COUNT_MADE = f"""
INSERT INTO {_DAYS} AS known (symbol, day, model_version, horizon, passed_at, {_SUMS})
SELECT symbol, day, model_version, horizon, MIN(passed_at), COUNT(due_at), COUNT(*) - COUNT(due_at),
    0, 0, 0, 0, 0, 0, 0, 0, 0
FROM made WHERE true GROUP BY symbol, day, model_version, horizon
ON CONFLICT (symbol, day, model_version, horizon) DO UPDATE SET
    made = known.made + excluded.made, unreadable = known.unreadable + excluded.unreadable,
    passed_at = COALESCE(known.passed_at, excluded.passed_at)
"""  # noqa: S608 - constants
NOTE_POSTGRES = f"WITH noted AS ({_NOTE_POSTGRES}), made AS ({_NEW_POSTGRES}) {COUNT_MADE}"

# 2. What the slice brings: of all who wait for a market time that it has reached, the first price then.

_REACHED = f"""
heard AS MATERIALIZED (
    SELECT symbol, MAX(as_of) AS as_of, MAX(timestamp) AS timestamp
    FROM {_RECORD} AS p WHERE {_OF_SLICE} GROUP BY symbol
),
-- What comes late finds its price among what was heard before.
reach AS MATERIALIZED (
    SELECT symbol, CASE
        WHEN timestamp < (SELECT MAX(timestamp) FROM {_OUTCOMES} AS o WHERE o.symbol = heard.symbol)
        THEN (SELECT MAX(as_of) FROM {_OUTCOMES} AS o WHERE o.symbol = heard.symbol) ELSE as_of END AS as_of
    FROM heard
)"""  # noqa: S608 - constants
# Nothing more is asked of them, so that the index of what is awaited is the only one that suits.
_AWAITED = (
    "o.symbol = reach.symbol AND o.due_at <= reach.as_of AND o.due_at IS NOT NULL AND o.settled_at IS NULL"
)
_FIRST_PRICE = f"""
FROM {_OUTCOMES} AS k WHERE k.symbol = o.symbol AND k.as_of >= o.due_at AND k.timestamp > o.timestamp
    AND k.price {_WITHIN} ORDER BY k.as_of, k.timestamp LIMIT 1"""
SETTLED = (
    "symbol",
    "model_version",
    "horizon",
    "as_of",
    "price",
    "predicted_price",
    "actual_price",
    "interval_low",
    "interval_high",
    "interval_level",
)
_SETTLE_POSTGRES = f"""
WITH {_REACHED},
due AS (
    SELECT o.symbol, o.timestamp, o.model_version, first.price AS actual_price, first.as_of AS actual_as_of
    FROM reach
    -- A plain join may read the index from end to end for each symbol; OFFSET keeps it from becoming one.
    CROSS JOIN LATERAL (SELECT * FROM {_OUTCOMES} AS o WHERE {_AWAITED} OFFSET 0) AS o
    CROSS JOIN LATERAL (SELECT k.price, k.as_of {_FIRST_PRICE}) AS first
    LIMIT %s
),
settled AS (
    UPDATE {_OUTCOMES} AS o
    SET actual_price = due.actual_price, actual_as_of = due.actual_as_of, settled_at = %s
    FROM due
    WHERE o.symbol = due.symbol AND o.timestamp = due.timestamp AND o.model_version = due.model_version
    RETURNING {", ".join(f"o.{name}" for name in SETTLED)}, (o.as_of AT TIME ZONE 'UTC')::date AS day
)"""  # noqa: S608 - constants
SETTLE_SQLITE = f"""
WITH {_REACHED},
due AS (
    SELECT o.rowid AS place, (SELECT k.rowid {_FIRST_PRICE}) AS first
    FROM reach JOIN {_OUTCOMES} AS o ON {_AWAITED} WHERE first IS NOT NULL LIMIT %s
)
UPDATE {_OUTCOMES} SET actual_price = first.price, actual_as_of = first.as_of, settled_at = %s
FROM due JOIN {_OUTCOMES} AS first ON first.rowid = due.first WHERE {_OUTCOMES}.rowid = due.place
RETURNING {", ".join(SETTLED)}, date(as_of)
"""  # noqa: S608 - constants
_COUNT_SETTLED = f"""
INSERT INTO {_DAYS} AS known (symbol, day, model_version, horizon, first_as_of, last_as_of, {_SUMS})
SELECT symbol, day, model_version, horizon, MIN(as_of), MAX(as_of), 0, 0, COUNT(*),
    SUM(ABS(predicted_price - actual_price)), SUM(ABS(predicted_price - actual_price) * 1.0 / actual_price),
    SUM(ABS(price - actual_price)), SUM(ABS(price - actual_price) * 1.0 / actual_price),
    SUM(CASE WHEN (predicted_price - price) * (actual_price - price) > 0 THEN 1 ELSE 0 END),
    COUNT(interval_level),
    SUM(CASE WHEN actual_price BETWEEN interval_low AND interval_high THEN 1 ELSE 0 END),
    COALESCE(SUM(interval_level), 0)
FROM settled WHERE true GROUP BY symbol, day, model_version, horizon
ON CONFLICT (symbol, day, model_version, horizon) DO UPDATE SET
    first_as_of = {{least}}(COALESCE(known.first_as_of, excluded.first_as_of), excluded.first_as_of),
    last_as_of = {{greatest}}(COALESCE(known.last_as_of, excluded.last_as_of), excluded.last_as_of),
    settled = known.settled + excluded.settled, error = known.error + excluded.error,
    relative_error = known.relative_error + excluded.relative_error,
    naive_error = known.naive_error + excluded.naive_error,
    naive_relative_error = known.naive_relative_error + excluded.naive_relative_error,
    hits = known.hits + excluded.hits, with_interval = known.with_interval + excluded.with_interval,
    within_interval = known.within_interval + excluded.within_interval,
    interval_levels = known.interval_levels + excluded.interval_levels
"""  # noqa: S608 - constants
COUNT_SETTLED_SQLITE = _COUNT_SETTLED.format(least="MIN", greatest="MAX")
SETTLE_POSTGRES = (
    f"{_SETTLE_POSTGRES}, counted AS ({_COUNT_SETTLED.format(least='LEAST', greatest='GREATEST')})"  # noqa: S608
    " SELECT COUNT(*) FROM settled"
)
