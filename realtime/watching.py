"""Who waits for which explanation in this process, and the frames that they get.

A watcher asked for one of its own jobs by id; a follower subscribed to a symbol with ``"explanations": true``
and hears of every explanation of it, its progress and its completion, without anybody's job id. Nothing here
waits for a socket.
"""

from __future__ import annotations

from collections.abc import Iterable

from observability import tracing
from realtime.connection import Connection
from realtime.news import News
from realtime.protocol import messages
from realtime.protocol.limits import MAX_WATCHES


class Watching:
    """The watches of one event loop."""

    def __init__(self) -> None:
        # Computation -> connection -> the connection's own jobs that share it.
        self._watchers: dict[str, dict[Connection, set[str]]] = {}
        self._watched: dict[Connection, set[str]] = {}
        self._followers: dict[str, set[Connection]] = {}
        self._followed: dict[Connection, set[str]] = {}

    def watch(self, connection: Connection, computation_id: str, job_id: str) -> bool:
        """Tell `connection` of its job from now on; False if it has `MAX_WATCHES` watches already."""
        watched = self._watched.setdefault(connection, set())
        if computation_id not in watched and len(watched) >= MAX_WATCHES:
            return False
        watched.add(computation_id)
        self._watchers.setdefault(computation_id, {}).setdefault(connection, set()).add(job_id)
        return True

    def unwatch(self, connection: Connection, computation_id: str) -> None:
        """Tell it no more of this computation."""
        self._watched.get(connection, set()).discard(computation_id)
        self._forget(connection, computation_id)

    def is_watched(self, connection: Connection, computation_id: str) -> bool:
        """True until the end was told."""
        return computation_id in self._watched.get(connection, ())

    def has_watches(self, connection: Connection) -> bool:
        """True while it waits for a job of its own."""
        return bool(self._watched.get(connection))

    def follow(self, connection: Connection, symbols: Iterable[str]) -> None:
        """Tell `connection` of every explanation of `symbols` from now on."""
        for symbol in symbols:
            self._followers.setdefault(symbol, set()).add(connection)
            self._followed.setdefault(connection, set()).add(symbol)

    def unfollow(self, connection: Connection, symbols: Iterable[str]) -> None:
        """Tell it no more."""
        followed = self._followed.get(connection, set())
        for symbol in followed.intersection(symbols):
            followed.discard(symbol)
            self._followers[symbol].discard(connection)
            if not self._followers[symbol]:
                del self._followers[symbol]

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        for computation_id in self._watched.pop(connection, set()):
            self._forget(connection, computation_id)
        self.unfollow(connection, list(self._followed.get(connection, ())))
        self._followed.pop(connection, None)

    def deliver(self, news: Iterable[News]) -> None:
        """Tell watchers and followers."""
        for one in news:
            sending = tracing.follow("send", one.trace, kind="PRODUCER", attributes={"kind": one.kind})
            sockets = self._tell_watchers(one)
            if one.kind != "explanation_failed":  # that is between the job and its owner
                sockets += self._tell_followers(one)
            sending.tell({"sockets": sockets})
            sending.end()

    def tell(self, connection: Connection, news: News, id_: str | None = None) -> None:
        """Tell one watcher, in answer to its request `id_`; forget the watch where this is the end."""
        jobs = self._watchers.get(news.computation_id, {}).get(connection, set())
        for job_id in sorted(jobs):
            connection.tell_frame(messages.explanation(news.kind, news.body, job_id, id_))
        if news.is_final:
            self.unwatch(connection, news.computation_id)

    def _tell_watchers(self, news: News) -> int:
        watchers = list(self._watchers.get(news.computation_id, ()))
        for connection in watchers:
            self.tell(connection, news)
        return len(watchers)

    def _tell_followers(self, news: News) -> int:
        followers = self._followers.get(news.symbol, ())
        if followers:
            frame = messages.explanation(news.kind, news.body)
            for connection in followers:
                connection.tell_frame(frame)
        return len(followers)

    def _forget(self, connection: Connection, computation_id: str) -> None:
        watchers = self._watchers.get(computation_id, {})
        watchers.pop(connection, None)
        if not watchers:
            self._watchers.pop(computation_id, None)
