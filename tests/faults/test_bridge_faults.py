"""The bridge while its world falls apart: no message lost, none stored twice, newest stays newest."""

from __future__ import annotations

import psycopg
import redis

from predictions import documents
from tests.servers import Server
from tests.stack import Stack, event, eventually, numbered, receive, updates_of


def test_killed_in_the_middle_of_5000_messages_every_row_is_there_once(own_stack: Stack, symbol: str) -> None:
    own_stack.environ["BRIDGE_BATCH_SIZE"] = "20"
    own_stack.publish(*numbered(symbol, 5_000))
    bridge = own_stack.start_bridge_at_once()
    eventually(lambda: own_stack.count_rows(symbol) > 500)
    bridge.kill()
    bridge.wait()
    assert own_stack.count_rows(symbol) < 5_000, "the kill came too late to prove anything"

    own_stack.start_bridge_at_once()

    eventually(lambda: own_stack.count_rows(symbol) == 5_000, timeout_s=60)
    eventually(own_stack.is_idle)
    distinct = "SELECT count(DISTINCT predicted_price), max(predicted_price) FROM predictions_prediction"
    assert own_stack.rows(distinct) == [(5_000, 5_000.0)]
    assert _newest(own_stack, symbol) == 5_000.0


def test_nats_killed_and_restarted(own_stack: Stack, symbol: str) -> None:
    own_stack.start_bridge()
    own_stack.publish(*numbered(symbol, 100))
    eventually(lambda: own_stack.count_rows(symbol) == 100)
    own_stack.nats.kill()
    own_stack.nats.start()
    own_stack.publish(*numbered(symbol, 100))
    eventually(lambda: own_stack.count_rows(symbol) == 200)


def test_nats_restarted_without_its_store_starts_a_new_epoch(own_stack: Stack, symbol: str) -> None:
    own_stack.start_bridge()
    own_stack.publish(event(symbol, predicted_price=1.0))
    eventually(lambda: own_stack.count_rows(symbol) == 1)
    own_stack.nats.kill()
    own_stack.nats.wipe("jetstream")
    own_stack.nats.start()
    own_stack.publish(event(symbol, predicted_price=2.0))
    eventually(lambda: own_stack.count_rows(symbol) == 2)
    epochs = own_stack.rows("SELECT count(DISTINCT epoch), min(seq), max(seq) FROM predictions_prediction")
    assert epochs == [(2, 1, 1)]
    eventually(lambda: _newest(own_stack, symbol) == 2.0)


def test_redis_killed_the_record_goes_on_and_nothing_is_acknowledged_untold(
    own_stack: Stack, symbol: str
) -> None:
    own_stack.start_bridge()
    own_stack.publish(event(symbol, predicted_price=1.0))
    eventually(lambda: _newest(own_stack, symbol) == 1.0)
    own_stack.redis.kill()
    own_stack.publish(*numbered(symbol, 300))
    eventually(lambda: own_stack.count_rows(symbol) == 301)
    assert not own_stack.is_idle()
    own_stack.redis.start()
    eventually(own_stack.is_idle)
    assert _newest(own_stack, symbol) == 300.0
    assert own_stack.count_rows(symbol) == 301


def test_redis_restarted_sockets_go_on_and_get_what_was_published_meanwhile(
    own_stack: Stack, symbol: str
) -> None:
    own_stack.start_bridge()
    own_stack.start_web()
    with own_stack.socket(symbol) as socket:
        own_stack.publish(event(symbol, predicted_price=1.0))
        assert receive(socket)["predicted_price"] == 1.0
        own_stack.redis.kill()
        own_stack.publish(event(symbol, predicted_price=2.0))
        eventually(lambda: own_stack.count_rows(symbol) == 2)
        own_stack.redis.start()
        # Whether the layer carries it or loses it while the web process joins again: it arrives.
        eventually(lambda: receive(socket).get("predicted_price") == 2.0)


def test_a_web_process_that_starts_without_redis_joins_when_it_comes(own_stack: Stack, symbol: str) -> None:
    own_stack.redis.stop()
    own_stack.start_web()
    with own_stack.socket(symbol) as socket:
        own_stack.start_bridge()
        own_stack.publish(event(symbol, predicted_price=1.0))
        eventually(lambda: own_stack.count_rows(symbol) == 1)
        own_stack.redis.start()
        eventually(lambda: receive(socket).get("predicted_price") == 1.0)


def test_postgres_killed_and_restarted(
    stack_on_own_postgres: Stack, own_postgres: Server, symbol: str
) -> None:
    stack = stack_on_own_postgres
    stack.start_bridge()
    stack.publish(*numbered(symbol, 100))
    eventually(lambda: stack.count_rows(symbol) == 100)
    own_postgres.kill()
    stack.publish(*numbered(symbol, 700))
    own_postgres.start()
    eventually(lambda: _count_after_recovery(stack, symbol) == 800, timeout_s=60)
    eventually(stack.is_idle)
    assert _newest(stack, symbol) == 700.0


def test_drains_on_sigterm_and_leaves_nothing_unacknowledged(own_stack: Stack, symbol: str) -> None:
    bridge = own_stack.start_bridge()
    own_stack.publish(*numbered(symbol, 2_000))
    eventually(lambda: own_stack.count_rows(symbol) > 0)
    bridge.terminate()
    assert bridge.wait(timeout=60) == 0
    recorded = own_stack.count_rows(symbol)
    assert own_stack.count_unacknowledged() == 0
    own_stack.start_bridge()
    eventually(lambda: own_stack.count_rows(symbol) == 2_000)
    assert recorded <= 2_000


def test_waits_for_servers_that_are_not_up_yet(own_stack: Stack, symbol: str) -> None:
    own_stack.nats.stop()
    own_stack.redis.stop()
    bridge = own_stack.start_bridge_at_once()
    own_stack.nats.start()
    own_stack.publish(event(symbol, predicted_price=7.0))
    eventually(lambda: own_stack.count_rows(symbol) == 1)
    own_stack.redis.start()
    eventually(lambda: _newest(own_stack, symbol) == 7.0)
    assert bridge.poll() is None


def _newest(stack: Stack, symbol: str) -> float | None:
    client = redis.Redis.from_url(stack.redis.url)
    try:
        value = client.get(f"pred:{symbol}")
    except redis.ConnectionError:
        return None
    finally:
        client.close()
    return documents.decode(value).predicted_price if isinstance(value, bytes) else None


def _count_after_recovery(stack: Stack, symbol: str) -> int:
    try:
        return stack.count_rows(symbol)
    except psycopg.OperationalError:
        return -1


def test_a_bridge_restarted_under_load_skips_nothing_on_the_socket(own_stack: Stack, symbol: str) -> None:
    # A bridge never heard before makes the hub re-read; that must not overtake what is on its way.
    first = own_stack.start_bridge()
    own_stack.start_web()
    with own_stack.socket(symbol, mode="batch", interval_ms=20) as socket:
        seqs = own_stack.publish(*numbered(symbol, 500))
        got: list[int] = []
        while len(got) < 500:
            got += [update["seq"] for update in updates_of(receive(socket))]
        first.terminate()
        assert first.wait(timeout=60) == 0
        own_stack.start_bridge()
        seqs += own_stack.publish(*(event(symbol, predicted_price=1.0 + n) for n in range(2_000)))
        while len(got) < len(seqs):
            got += [update["seq"] for update in updates_of(receive(socket))]
    assert got == seqs
