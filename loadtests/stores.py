"""How much the stores of a site hold: Valkey's keys and memory, rows and sizes of tables, NATS' messages."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
from redis import Redis

from benchmarks.side_by_side.ground import Ground
from events import connection, streams

_TABLES = """
SELECT relname, pg_total_relation_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


def valkey_mb(ground: Ground) -> float:
    """What Valkey has allocated."""
    with Redis.from_url(ground.redis_url) as client:
        return float(client.info("memory")["used_memory"]) / 2**20


def nats_mb(profile: str) -> float:
    """What NATS' heap holds once its garbage is collected, told at the URL `profile`."""
    told = httpx.get(f"{profile}/debug/pprof/heap", params={"gc": 1, "debug": 1}, timeout=10).text
    found = re.search(r"^# HeapAlloc = (\d+)$", told, re.MULTILINE)
    if found is None:
        raise ValueError("NATS does not tell of its heap")
    return int(found[1]) / 2**20


def count_valkey_keys(ground: Ground) -> int:
    """All keys."""
    with Redis.from_url(ground.redis_url) as client:
        return int(client.dbsize())


def database_mb(ground: Ground) -> float:
    """The database with its indexes."""
    url = ground.environ["DATABASE_URL"]
    if not url.startswith("postgresql://"):
        return Path(urlsplit(url).path).stat().st_size / 2**20
    with psycopg.connect(url) as database:
        found = database.execute("SELECT pg_database_size(current_database())").fetchone()
    return float(found[0]) / 2**20 if found else 0.0


def tables(ground: Ground) -> dict[str, tuple[int, int]]:
    """Rows and bytes of each table of the Postgres, indexes among the bytes."""
    with psycopg.connect(ground.environ["DATABASE_URL"]) as database:
        sizes = database.execute(_TABLES).fetchall()
        return {name: (_count(database, name), size) for name, size in sizes}


def _count(database: psycopg.Connection[tuple[object, ...]], name: str) -> int:
    found = database.execute(f'SELECT count(*) FROM "{name}"').fetchone()  # noqa: S608 - a table's name
    return int(str(found[0])) if found else 0


async def count_messages(ground: Ground) -> dict[str, int]:
    """Messages in each stream that has to run empty."""
    opened = await connection.connect(ground.environ["NATS_URL"], name="load")
    try:
        infos = {one.name: await opened.jetstream.stream_info(one.name) for one in (streams.JOBS,)}
    finally:
        await opened.drain()
    return {name: info.state.messages for name, info in infos.items()}
