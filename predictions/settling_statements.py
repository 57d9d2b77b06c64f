"""The statements of `predictions.settling`, for Postgres and SQLite: what the slice of a record brings.

A slice is what lies after one place of the stream and up to another. The first part notes each prediction of
it with the end of its horizon, the second settles whoever waits for a market time that the slice has reached;
both add to the sums of the day. `made` and `settled` are what was written, as rows: in Postgres from the
statement itself, in SQLite given back as JSON.
"""

from __future__ import annotations

from events.prediction_updated import GREATEST_PRICE, LEAST_PRICE
from predictions.models import AccuracyDay, Outcome, Prediction

_RECORD, _OUTCOMES, _DAYS = (model._meta.db_table for model in (Prediction, Outcome, AccuracyDay))
# Sums of what lies within cannot overflow, whatever a pipeline sends; what lies outside has no outcome.
_WITHIN = f"BETWEEN {LEAST_PRICE} AND {GREATEST_PRICE}"
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

# 2. What the predictions of the slice themselves wait for: looked up among all prices.

# Nearly always the first price by market time is the one. Where many of those are older than the prediction,
# as when market times run backwards, the price is among the few that are newer. All else walks to the end.
_NEAR, _FEW = 50, 4_000
_COMES = f"k.symbol = o.symbol AND k.as_of >= o.due_at AND k.timestamp > o.timestamp AND k.price {_WITHIN}"
_BY_MARKET_TIME = f"FROM {_OUTCOMES} AS k WHERE k.symbol = o.symbol AND k.as_of >= o.due_at"
_LATER = f"FROM {_OUTCOMES} AS k WHERE k.symbol = o.symbol AND k.timestamp > o.timestamp ORDER BY k.timestamp"
_IS_FAR = f"EXISTS (SELECT 1 {_BY_MARKET_TIME} ORDER BY k.as_of, k.timestamp LIMIT 1 OFFSET {_NEAR - 1})"
_HAS_MANY_LATER = f"EXISTS (SELECT 1 {_LATER} LIMIT 1 OFFSET {_FEW})"
_FIRST = "ORDER BY k.as_of, k.timestamp LIMIT 1"


_PRICE = "k.symbol, k.price, k.as_of, k.timestamp"


def _first(columns: str, prices: str, condition: str = "true") -> str:
    return f"(SELECT {columns} FROM ({prices}) AS k WHERE {_COMES} AND {condition} {_FIRST})"  # noqa: S608


def _first_near(columns: str, price: str) -> str:
    return _first(columns, f"SELECT {price} {_BY_MARKET_TIME} ORDER BY k.as_of, k.timestamp LIMIT {_NEAR}")


def _first_of_all(columns: str, price: str) -> list[str]:
    walk = f"SELECT {price} FROM {_OUTCOMES} AS k WHERE {_COMES} {_FIRST}"  # noqa: S608 - constants
    return [
        _first_near(columns, price),
        _first(columns, f"SELECT {price} {_LATER} LIMIT {_FEW}", f"{_IS_FAR} AND NOT {_HAS_MANY_LATER}"),
        _first(columns, walk, f"{_IS_FAR} AND {_HAS_MANY_LATER}"),
    ]


def _first_heard(columns: str, price: str) -> list[str]:
    heard = "SELECT * FROM heard"
    return [_first_near(columns, price), _first(columns, heard)]


# 3. What the slice brings to whoever waited before: its own prices alone, all others were there already.

# Of the slice only what has both a later market time and a later timestamp than anything else there matters:
# the last of these steps that has reached the end of a horizon tells whether there is a price at all.
_STEPS = f"""
heard AS MATERIALIZED (
    SELECT symbol, as_of, timestamp, current_price AS price, {{place}} AS place
    FROM {_RECORD} AS p WHERE {_OF_SLICE} AND current_price {_WITHIN}
),
climbed AS (
    SELECT symbol, as_of, timestamp, MAX(timestamp) OVER (
        PARTITION BY symbol ORDER BY as_of DESC, timestamp DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS latest FROM heard
),
steps AS MATERIALIZED (
    SELECT symbol, as_of, timestamp,
        COALESCE(LEAD(as_of) OVER (PARTITION BY symbol ORDER BY as_of DESC), '0001-01-01 00:00:00') AS below
    FROM climbed WHERE latest IS NULL OR timestamp > latest
)"""  # noqa: S608 - constants
# Nothing more is asked of them, so that the index of what is awaited is the only one that suits.
_AWAITED = (
    "o.symbol = steps.symbol AND o.due_at > steps.below AND o.due_at <= steps.as_of"
    " AND o.due_at IS NOT NULL AND o.settled_at IS NULL"
)
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
_PLACE_IN_SQLITE = f"""(
    SELECT x.rowid FROM {_OUTCOMES} AS x WHERE x.symbol = p.symbol AND x.timestamp = p.timestamp
    AND x.model_version = p.model_version
)"""  # noqa: S608 - constants
_OWN = f"""
SELECT o.symbol, o.timestamp, o.model_version, o.due_at {{place}}
FROM {_RECORD} AS p JOIN {_OUTCOMES} AS o
    ON o.symbol = p.symbol AND o.timestamp = p.timestamp AND o.model_version = p.model_version
WHERE {_OF_SLICE} AND o.due_at IS NOT NULL AND o.settled_at IS NULL
"""  # noqa: S608 - constants
# A plain join may read the index from end to end for each symbol; OFFSET keeps it from becoming one.
_REACHED_POSTGRES = f"""
SELECT o.* FROM steps CROSS JOIN LATERAL (SELECT * FROM {_OUTCOMES} AS o WHERE {_AWAITED} OFFSET 0) AS o
WHERE o.timestamp < steps.timestamp
"""  # noqa: S608 - constants
_REACHED_SQLITE = f"""
SELECT o.*, o.rowid AS place FROM steps JOIN {_OUTCOMES} AS o ON {_AWAITED}
WHERE o.timestamp < steps.timestamp
"""  # noqa: S608 - constants


def _settle_postgres(tables: str, waiting: str, first: list[str]) -> str:
    found = " UNION ALL ".join(first)
    return f"""
WITH {tables}
due AS (
    SELECT o.symbol, o.timestamp, o.model_version, first.price AS actual_price, first.as_of AS actual_as_of
    FROM ({waiting} OFFSET 0) AS o CROSS JOIN LATERAL (SELECT * FROM ({found}) AS k LIMIT 1) AS first LIMIT %s
),
settled AS (
    UPDATE {_OUTCOMES} AS o
    SET actual_price = due.actual_price, actual_as_of = due.actual_as_of, settled_at = %s
    FROM due
    WHERE o.symbol = due.symbol AND o.timestamp = due.timestamp AND o.model_version = due.model_version
    RETURNING {", ".join(f"o.{name}" for name in SETTLED)}, (o.as_of AT TIME ZONE 'UTC')::date AS day
), counted AS ({_COUNT_SETTLED.format(least="LEAST", greatest="GREATEST")})
SELECT COUNT(*) FROM settled"""  # noqa: S608 - constants


def _settle_sqlite(tables: str, waiting: str, first: list[str]) -> str:
    return f"""
WITH {tables}
due AS (
    SELECT * FROM (SELECT o.place, COALESCE({", ".join(first)}) AS first FROM ({waiting}) AS o)
    WHERE first IS NOT NULL LIMIT %s
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
_IN_POSTGRES, _IN_SQLITE = ("k.price, k.as_of", _PRICE), ("k.place", f"{_PRICE}, k.rowid AS place")
# In this order: what is left of the slice itself then waits as all others do.
SETTLE_POSTGRES = (
    _settle_postgres("", _OWN.format(place=""), _first_of_all(*_IN_POSTGRES)),
    _settle_postgres(_STEPS.format(place="0") + ",", _REACHED_POSTGRES, _first_heard(*_IN_POSTGRES)),
)
SETTLE_SQLITE = (
    _settle_sqlite("", _OWN.format(place=", o.rowid AS place"), _first_of_all(*_IN_SQLITE)),
    _settle_sqlite(_STEPS.format(place=_PLACE_IN_SQLITE) + ",", _REACHED_SQLITE, _first_heard(*_IN_SQLITE)),
)
