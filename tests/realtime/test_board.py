"""What the board shows is the newest value or nothing: what was heard, learned, missed and let go."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from predictions.answers import Shown
from predictions.documents import PredictionDocument
from realtime import board as board_module
from realtime import recent as recent_module
from realtime.batches import update_of
from realtime.board import Board
from realtime.recent import Recent
from tests.realtime.peers import LATER_EPOCH, document

MADE = datetime(2026, 1, 1, tzinfo=UTC)


def made(seq: int, symbol: str = "AAPL", *, at: int | None = None, **changes: Any) -> PredictionDocument:
    """Message `seq`; its prediction was made `at` seconds after the start, or as many as its number."""
    timestamp = MADE + timedelta(seconds=seq if at is None else at)
    return msgspec.structs.replace(document(seq, symbol), timestamp=timestamp, as_of=timestamp, **changes)


@dataclass
class Place:
    """A board with the memory beside it, and a flow that the test switches."""

    recent: Recent = field(default_factory=lambda: Recent(1000))
    is_current: bool = True

    def __post_init__(self) -> None:
        self.board = Board(self.recent, is_current=lambda: self.is_current)

    def hear(self, *told: PredictionDocument) -> None:
        """These updates come from the bridges."""
        for one in told:
            self.recent.add(update_of(one))

    def learn(self, *stored: PredictionDocument) -> None:
        """Redis was just asked, and had these."""
        for one in stored:
            self.board.learn(one, self.board.mark())

    def seq(self, symbol: str = "AAPL") -> int | None:
        """The number of the message that is shown."""
        shown = self.board.find(symbol)
        return None if shown is None else int(fields(shown)["seq"])


def fields(shown: Shown) -> dict[str, Any]:
    """What a reader sees."""
    found: dict[str, Any] = json.loads(shown.body(now_us=0, stale_after_s=1.0))
    return found


@pytest.fixture
def place() -> Place:
    """A board of a whole flow that knows nothing yet."""
    return Place()


def test_a_symbol_is_unknown_until_it_is_learned_however_much_is_heard_of_it(place: Place) -> None:
    assert place.seq() is None
    place.hear(made(1), made(2))
    assert place.seq() is None
    place.learn(made(1))
    assert place.seq() == 2
    assert place.seq("MSFT") is None


def test_what_was_learned_is_shown_as_it_is_in_redis(place: Place) -> None:
    stored = made(3, predicted_price=123.5, model_version="m")
    place.learn(stored)
    shown = place.board.find("AAPL")
    assert shown is not None
    assert fields(shown) == fields(Shown(stored, include_features=False))


def test_what_is_heard_after_it_was_learned_takes_its_place(place: Place) -> None:
    place.learn(made(1))
    told = made(2, predicted_price=99.25)
    place.hear(told)
    shown = place.board.find("AAPL")
    assert shown is not None
    assert fields(shown) == fields(Shown(told, include_features=False))
    place.hear(made(3), made(4))
    assert place.seq() == 4


@pytest.mark.parametrize("is_heard_first", [False, True], ids=["learned first", "heard first"])
def test_a_late_update_does_not_take_the_place_of_what_was_learned(
    place: Place, is_heard_first: bool
) -> None:
    late, stored = made(9, at=5), made(8, at=7)
    if is_heard_first:
        place.hear(late)
    place.learn(stored)
    place.hear(late)
    assert [place.seq(), place.seq()] == [8, 8]
    place.hear(made(10, at=6))
    assert place.seq() == 8
    place.hear(made(11, at=8))
    assert place.seq() == 11


def test_of_two_predictions_of_one_moment_the_greater_number_is_shown(place: Place) -> None:
    place.learn(made(5, at=1))
    place.hear(made(4, at=1))
    assert place.seq() == 5
    place.hear(made(6, at=1))
    assert place.seq() == 6


def test_a_value_that_was_learned_again_is_the_one_that_is_shown(place: Place) -> None:
    place.learn(made(1))
    place.hear(made(2))
    assert place.seq() == 2
    place.learn(made(3))
    assert place.seq() == 3


def test_an_update_of_a_later_life_of_the_stream_is_shown_by_its_time(place: Place) -> None:
    place.learn(made(50))
    place.hear(made(50))
    assert place.seq() == 50
    place.hear(made(1, at=60, epoch=LATER_EPOCH))
    assert place.seq() == 1


@pytest.mark.parametrize(
    "changes",
    [{"seq": None}, {"seq": 0}, {"epoch": None}, {"epoch": ""}, {"seq": None, "epoch": None}],
    ids=["no seq", "seq 0", "no epoch", "empty epoch", "neither"],
)
def test_what_somebody_else_than_a_bridge_has_stored_is_not_learned(
    place: Place, changes: dict[str, Any]
) -> None:
    foreign = msgspec.structs.replace(made(7), **changes)
    place.learn(foreign)
    assert place.board.find("AAPL") is None
    place.learn(made(5))
    place.learn(foreign)
    assert place.seq() == 5


def test_while_the_flow_is_not_whole_nothing_is_known_and_nothing_is_learned(place: Place) -> None:
    place.learn(made(1))
    place.is_current = False
    assert place.seq() is None
    assert place.board.mark() is None
    place.learn(made(2))
    place.is_current = True
    assert place.seq() == 1  # nothing was missed: there was no break


def test_what_is_heard_while_the_flow_is_not_whole_is_shown_as_soon_as_it_is(place: Place) -> None:
    place.learn(made(1))
    place.is_current = False
    place.hear(made(2))
    place.is_current = True
    assert place.seq() == 2


def test_a_break_forgets_everything_and_only_what_is_learned_since_is_known(place: Place) -> None:
    place.learn(made(1), made(2, "MSFT"), made(3, "IBM"))
    place.recent.break_off()
    assert [place.seq(symbol) for symbol in ("AAPL", "MSFT", "IBM")] == [None, None, None]
    place.hear(made(4))
    assert place.seq() is None
    place.learn(made(2, "MSFT"))
    assert [place.seq(symbol) for symbol in ("AAPL", "MSFT", "IBM")] == [None, 2, None]


def test_what_was_heard_before_a_break_does_not_hide_what_is_learned_after_it(place: Place) -> None:
    place.hear(made(1))
    place.learn(made(1))
    assert place.seq() == 1
    place.recent.break_off()  # 2 was lost
    place.learn(made(2))
    assert place.seq() == 2


def test_what_was_asked_for_before_a_break_is_not_learned_after_it(place: Place) -> None:
    mark = place.board.mark()
    place.recent.break_off()
    place.board.learn(made(1), mark)
    assert place.seq() is None
    place.learn(made(2))
    place.board.learn(made(1), mark)
    assert place.seq() == 2


def test_a_break_that_is_over_before_anybody_looks_has_happened_all_the_same(place: Place) -> None:
    place.learn(made(1), made(2, "MSFT"))
    place.recent.break_off()
    place.recent.break_off()
    place.hear(made(5, "IBM"))
    assert place.seq() is None
    place.learn(made(4))
    assert [place.seq(), place.seq("MSFT")] == [4, None]


def test_what_is_heard_between_the_question_and_its_answer_is_not_missed(place: Place) -> None:
    mark = place.board.mark()
    place.hear(made(2))
    place.board.learn(made(1), mark)
    assert place.seq() == 2


def test_of_a_symbol_that_was_let_go_nothing_is_known_before_it_is_learned_and_heard_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_module, "MOST_SYMBOLS", 2)
    place.learn(made(1))
    place.hear(made(2))
    assert place.seq() == 2
    place.hear(made(3, "MSFT"), made(4, "IBM"))
    assert place.recent.newest("AAPL") is None
    assert place.seq() is None
    assert "AAPL" not in place.board._known
    place.learn(made(2))
    assert place.seq() is None  # from now on silence may be a symbol that was let go
    place.learn(made(2))
    place.hear(made(5))
    assert place.seq() == 5


def test_once_symbols_were_let_go_one_that_was_never_heard_is_not_known_any_more(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_module, "MOST_SYMBOLS", 2)
    place.learn(made(1))
    place.hear(made(2, "MSFT"), made(3, "IBM"))
    assert place.seq() == 1
    place.hear(made(4, "XOM"))
    assert place.seq() is None


def test_the_number_of_symbols_is_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_module, "_MOST_SYMBOLS", 2)
    place.learn(made(1, "A"), made(2, "B"))
    assert [place.seq("A"), place.seq("B")] == [1, 2]
    place.learn(made(3, "C"))
    assert len(place.board._known) <= 2
    assert [place.seq("A"), place.seq("B"), place.seq("C")] == [None, None, 3]


def test_the_same_object_is_found_while_nothing_has_changed(place: Place) -> None:
    place.learn(made(1))
    learned = place.board.find("AAPL")
    assert learned is not None
    assert place.board.find("AAPL") is learned
    place.hear(made(2, "MSFT"), made(9, at=0))  # another symbol, and a late one
    assert place.board.find("AAPL") is learned
    place.hear(made(10))
    heard = place.board.find("AAPL")
    assert heard is not learned
    assert place.board.find("AAPL") is heard


def test_features_are_never_shown(place: Place) -> None:
    place.learn(made(1, features={"momentum_21d": 0.04}))
    learned = place.board.find("AAPL")
    place.hear(made(2, features={"momentum_21d": 0.05}))
    heard = place.board.find("AAPL")
    assert learned is not None
    assert heard is not None
    for shown in (learned, heard):
        assert "features" not in fields(shown)
        assert not shown.etag(now_us=0, stale_after_s=1.0).endswith('-f"')


SYMBOLS = ["A", "B"]
STEPS = st.tuples(
    st.sampled_from(["hear", "hear", "hear", "store", "ask", "learn", "learn", "break_off", "toggle"]),
    st.integers(min_value=1, max_value=24),
)


def numbered(seq: int) -> PredictionDocument:
    """Message `seq`: its number tells its symbol, and when its prediction was made, not in the same order."""
    return made(seq, SYMBOLS[seq % 2], at=(seq * 7) % 11)


class Model:
    """All that was heard or learned, what Redis has, and which symbols were learned since the last break."""

    def __init__(self) -> None:
        self.place = Place()
        self.redis: dict[str, PredictionDocument] = {}
        self.newest: dict[str, PredictionDocument] = {}
        self.learned: set[str] = set()
        # A read of Redis that is not over: the mark, and what Redis had.
        self.asked: list[tuple[int | None, dict[str, PredictionDocument]]] = []

    def hear(self, one: PredictionDocument) -> None:
        """A bridge has stored it and told of it."""
        self.store(one)
        self.place.hear(one)
        _put_if_newer(self.newest, one)

    def store(self, one: PredictionDocument) -> None:
        """A bridge has stored it and will tell of it, or has told of it to nobody."""
        _put_if_newer(self.redis, one)

    def ask(self, one: PredictionDocument) -> None:
        """Somebody reads Redis, for both symbols."""
        self.asked.append((self.place.board.mark(), dict(self.redis)))

    def learn(self, one: PredictionDocument) -> None:
        """The answer to the earliest read is there; only what it says of one symbol is looked at."""
        if not self.asked:
            self.ask(one)
        mark, values = self.asked.pop(0)
        if one.symbol in values:
            self.place.board.learn(values[one.symbol], mark)
            if mark == self.place.recent.breaks:
                _put_if_newer(self.newest, values[one.symbol])
                self.learned.add(one.symbol)

    def break_off(self, one: PredictionDocument) -> None:
        """Something is missing."""
        self.place.recent.break_off()
        self.learned.clear()

    def toggle(self, one: PredictionDocument) -> None:
        """The flow is whole, or is not."""
        self.place.is_current = not self.place.is_current

    def expected(self, symbol: str) -> int | None:
        """The number of the message that has to be shown."""
        is_known = self.place.is_current and symbol in self.learned
        return self.newest[symbol].seq if is_known else None


def _put_if_newer(values: dict[str, PredictionDocument], one: PredictionDocument) -> None:
    if one.symbol not in values or values[one.symbol].order <= one.order:
        values[one.symbol] = one


@settings(max_examples=300, deadline=None)
@given(st.lists(STEPS, max_size=40), st.sets(st.integers(min_value=0, max_value=40)))
@example([("store", 3), ("learn", 1), ("hear", 1), ("hear", 3)], set())
@example([("store", 1), ("ask", 1), ("break_off", 1), ("learn", 1)], set())
@example([("hear", 2), ("learn", 2), ("break_off", 1), ("store", 4), ("learn", 2), ("toggle", 1)], {1})
def test_what_it_shows_is_the_newest_of_all_that_was_heard_or_learned_or_nothing(
    steps: list[tuple[str, int]], not_looked_at: set[int]
) -> None:
    model = Model()
    for number, (step, seq) in enumerate(steps):
        getattr(model, step)(numbered(seq))
        if number not in not_looked_at:
            for symbol in SYMBOLS:
                assert model.place.seq(symbol) == model.expected(symbol)


def test_the_model_tells_of_both_symbols_and_of_late_messages() -> None:
    told = [numbered(seq) for seq in range(1, 25)]
    assert {one.symbol for one in told} == set(SYMBOLS)
    orders = [one.order for one in told if one.symbol == "A"]
    assert orders != sorted(orders)
