"""Fills a migrated Postgres by generate_series: predictions, explanations with jobs, accounts with keys.

Rows come in the order of time, as they do from the bridge, with all indexes in place.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from accounts.models.keys import default_scopes
from benchmarks.patience import patient_cursor
from benchmarks.side_by_side.feeding import make_symbols
from predictions.models import Prediction

EPOCH = "measured"
_STEP = 500_000
# One computation for so many predictions, and one key.
_A_COMPUTATION = 50
_A_KEY = 100
_ACCOUNTS = 1000
_UNFINISHED = 100

_PREDICTIONS = """
INSERT INTO predictions_prediction (symbol, timestamp, model_version, as_of, current_price,
    predicted_price, confidence, horizon, features, seq, epoch)
SELECT (%(symbols)s::text[])[1 + n %% %(count)s], moment, 'ridge-1', moment, 100 + n %% 97, 101 + n %% 89,
    0.5 + (n %% 50) / 100.0, '1d', jsonb_build_object('momentum_21d', n %% 7 / 70.0, 'volatility_21d', 0.02),
    n, %(epoch)s
FROM generate_series(%(first)s::bigint, %(last)s) AS n,
    LATERAL (SELECT timestamptz '2026-01-01' + n * interval '60 milliseconds' AS moment) AS at
"""
_ACCOUNTS_AND_KEYS = """
WITH tier AS (SELECT id FROM accounts_tier WHERE name = 'pro'),
made AS (
    INSERT INTO accounts_account (name, tier_id, is_active, created_at)
    SELECT 'measured-' || n, tier.id, true, now() FROM tier, generate_series(1, %(accounts)s) AS n
    RETURNING id, tier_id
),
numbered AS (SELECT *, row_number() OVER () - 1 AS place FROM made)
INSERT INTO api_keys (id, account_id, tier_id, name, environment, digest, scopes, networks, lineage,
    created_at, last_used_address, last_used_agent)
SELECT gen_random_uuid(), numbered.id, numbered.tier_id, '', 'live',
    md5(n::text) || md5((-n)::text), %(scopes)s::jsonb, '[]', gen_random_uuid(), now(), '', ''
FROM generate_series(1, %(keys)s) AS n JOIN numbered ON place = n %% %(accounts)s
"""
_COMPUTATIONS = """
INSERT INTO explanations_computation (id, symbol, depth, prediction_timestamp, model_version, prediction,
    state, progress, stage, attempts, reason, result, took_s, created_at, heard_at, finished_at, request_id)
SELECT gen_random_uuid(), symbol, depth, timestamp, model_version, to_jsonb(p),
    CASE WHEN is_done THEN 'done' ELSE 'queued' END, 0, '', 1, '',
    CASE WHEN is_done THEN %(result)s::jsonb || jsonb_build_object('depth', depth) END,
    0.5, timestamp, timestamp, CASE WHEN is_done THEN timestamp + interval '1 second' END, ''
FROM predictions_prediction AS p,
    LATERAL (SELECT (ARRAY['fast', 'medium', 'deep'])[1 + mod(seq / 1000, 3)] AS depth,
        seq <= %(rows)s - %(each)s * %(unfinished)s AS is_done) AS also
WHERE epoch = %(epoch)s AND mod(seq, %(each)s) = mod(seq / 1000, %(each)s)
"""
# Every other job is of one account.
_JOBS = """
INSERT INTO explanations_explanationjob (id, computation_id, account_id, ordered_by, created_at, ended_at)
SELECT c.id, c.id, first.id + CASE WHEN n %% 2 = 0 THEN 0 ELSE n %% %(accounts)s END, 'key', created_at,
    finished_at
FROM (SELECT id, created_at, finished_at, row_number() OVER (ORDER BY created_at) AS n
        FROM explanations_computation) AS c,
    (SELECT min(id) AS id FROM accounts_account WHERE name LIKE 'measured-%%') AS first
"""
_RESULT = {
    "summary": "It goes on as it did. " * 20,
    "contributions": [{"name": f"input_{n}", "value": 0.001, "text": "It rose."} for n in range(8)],
    "sources": [{"id": "s1", "kind": "data", "title": "daily bars", "detail": "2000 to 2013"}],
}


@dataclass(frozen=True, slots=True)
class Filled:
    """What there is to ask for. `rows` counts the predictions, `sizes` the rows of each table that grows.

    `busiest_account` has ordered every other job.
    """

    rows: int
    symbols: list[str]
    keys: list[uuid.UUID]
    jobs: list[uuid.UUID]
    busiest_account: int
    sizes: dict[str, int]


def fill(rows: int, symbols: int, say: Callable[[str], None]) -> Filled:
    """Fill a migrated database, and let Postgres look at what is in it. Takes minutes.

    What this has filled before with so many rows is taken as it is.
    """
    names = make_symbols(symbols)
    if not Prediction.objects.filter(epoch=EPOCH, seq=rows).exists():
        _fill_anew(rows, names, say)
    tables = ("predictions_prediction", "explanations_computation", "explanations_explanationjob", "api_keys")
    return Filled(
        rows=rows,
        symbols=names,
        keys=_sample("api_keys"),
        jobs=_sample("explanations_explanationjob"),
        busiest_account=_one("SELECT min(id) FROM accounts_account WHERE name LIKE 'measured-%'"),
        sizes={table: _one(f"SELECT count(*) FROM {table}") for table in tables},  # noqa: S608 - names above
    )


def _fill_anew(rows: int, names: list[str], say: Callable[[str], None]) -> None:
    values: dict[str, Any] = {
        "rows": rows,
        "epoch": EPOCH,
        "accounts": _ACCOUNTS,
        "keys": max(_ACCOUNTS, rows // _A_KEY),
        "scopes": json.dumps(default_scopes()),
        "result": json.dumps(_RESULT),
        "each": _A_COMPUTATION,
        "unfinished": _UNFINISHED,
    }
    fill_predictions(rows, names, say)
    with patient_cursor() as cursor:
        for what, query in (
            ("accounts and keys", _ACCOUNTS_AND_KEYS),
            ("explanations", _COMPUTATIONS),
            ("jobs", _JOBS),
        ):
            cursor.execute(query, values)
            say(what)
        cursor.execute("VACUUM ANALYZE")


def fill_predictions(rows: int, names: list[str], say: Callable[[str], None]) -> None:
    """`rows` predictions of the symbols `names`, in turn."""
    with patient_cursor() as cursor:
        for first in range(1, rows + 1, _STEP):
            last = min(first + _STEP - 1, rows)
            values: dict[str, Any] = {
                "symbols": names,
                "count": len(names),
                "epoch": EPOCH,
                "first": first,
                "last": last,
            }
            cursor.execute(_PREDICTIONS, values)
            say(f"{last:,} predictions")


def _sample(table: str) -> list[uuid.UUID]:
    """A thousand ids from everywhere in the table."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {table} ORDER BY md5(id::text) LIMIT 1000")  # noqa: S608 - names above
        return [id_ for (id_,) in cursor.fetchall()]


def _one(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]
