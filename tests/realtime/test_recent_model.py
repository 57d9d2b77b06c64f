"""Whatever arrives in whatever order, the memory beside a plain list that says what it must answer."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from realtime.batches import Update
from realtime.protocol.requests import Since
from realtime.recent import Arrival, Recent
from tests.examples import examples
from tests.realtime.peers import update

EPOCHS = ["18f3a", "18f3b", "18f3c"]
SYMBOLS = ["A", "B", "C"]


def arriving(epoch: int, seq: int) -> Update:
    """An update of the stream: its number tells its symbol, and when it was made."""
    return update(seq, SYMBOLS[(seq * seq // 3) % 3], epoch=EPOCHS[epoch], made_us=(seq * 7) % 11)


class Model:
    """Everything that has arrived."""

    def __init__(self) -> None:
        self.life = -1
        self.arrived: dict[int, Update] = {}
        self.newest: dict[str, Update] = {}
        # Whether something up to here was heard of cannot be known any more.
        self.forgotten_until = 0

    def add(self, life: int, one: Update) -> set[Arrival]:
        """What the arrival of `one` may be called."""
        if life < self.life:
            return {Arrival.KNOWN}
        if life > self.life:
            self.life, self.arrived, self.forgotten_until = life, {}, 0
        if one.seq in self.arrived:
            return {Arrival.KNOWN}
        same = [seq for seq, other in self.arrived.items() if other.symbol == one.symbol]
        if same and one.seq < max(same):
            if one.seq <= self.forgotten_until:
                return {Arrival.KNOWN}
            self._note(one)
            return {Arrival.LATE}
        self._note(one)
        return {Arrival.NEXT}

    def _note(self, one: Update) -> None:
        self.arrived[one.seq] = one
        known = self.newest.get(one.symbol)
        if known is None or known.order <= one.order:
            self.newest[one.symbol] = one

    def after(self, since: Since, symbols: list[str]) -> list[Update]:
        """What has arrived after `since`, in order."""
        arrived = [one for _, one in sorted(self.arrived.items())]
        return [one for one in arrived if one.symbol in symbols and one.seq > since.of(one.symbol)]

    def last_of(self, symbol: str) -> int | None:
        """The greatest number of `symbol`."""
        return max((seq for seq, one in self.arrived.items() if one.symbol == symbol), default=None)


def check(memory: Recent, model: Model, capacity: int, behind: list[int]) -> None:
    """Everything that the memory says is so."""
    assert len(memory) <= capacity
    assert len(memory) == sum(len(held) for held in memory._of.values())
    assert memory.place == (EPOCHS[model.life], max(model.arrived))
    for symbol in SYMBOLS:
        assert memory.last_of(symbol) == model.last_of(symbol)
        assert memory.newest(symbol) == model.newest.get(symbol)
    for seq in range(max(model.arrived) + 2):
        seqs = {symbol: seq + ahead for symbol, ahead in zip(SYMBOLS, behind, strict=True)}
        for since in (Since(EPOCHS[model.life], seq), Since(EPOCHS[model.life], 0, seqs)):
            covered = [symbol for symbol in SYMBOLS if memory.covers(symbol, since)]
            assert {s for s in SYMBOLS if since.of(s) >= memory.complete_after} <= set(covered)
            for symbols in (covered, covered[:1], ["XOM", *covered]):
                assert memory.after(since, symbols) == model.after(since, symbols)
        for epoch in {*EPOCHS} - {EPOCHS[model.life]}:
            assert not any(memory.covers(symbol, Since(epoch, seq)) for symbol in SYMBOLS)
            assert memory.after(Since(epoch, seq), SYMBOLS) == []


ARRIVALS = st.tuples(st.sampled_from([0, 0, 0, 0, 0, 1, 1, 1, 2]), st.integers(min_value=1, max_value=20))


@examples(200)
@given(
    capacity=st.integers(min_value=1, max_value=8),
    arrivals=st.lists(ARRIVALS, max_size=40),
    behind=st.lists(st.integers(min_value=0, max_value=5), min_size=3, max_size=3),
)
@example(capacity=4, arrivals=[(0, 2), (0, 1), (1, 5), (1, 3), (1, 3), (0, 9)], behind=[0, 0, 0])
def test_what_it_covers_it_tells_exactly_and_in_order(
    capacity: int, arrivals: list[tuple[int, int]], behind: list[int]
) -> None:
    memory, model = Recent(capacity), Model()
    for life, seq in arrivals:
        one = arriving(life, seq)
        allowed = model.add(life, one)
        assert memory.add(one) in allowed
        held = {other.seq for others in memory._of.values() for other in others}
        model.forgotten_until = max({*model.arrived} - held, default=model.forgotten_until)
        check(memory, model, capacity, behind)


@examples(100)
@given(
    capacity=st.integers(min_value=2, max_value=12),
    first=st.integers(min_value=1, max_value=20),
    split=st.lists(st.booleans(), min_size=12, max_size=12),
    turns=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=24, max_size=24),
)
def test_two_bridges_that_interleave_leave_no_hole_in_what_is_covered(
    capacity: int, first: int, split: list[bool], turns: list[tuple[bool, bool]]
) -> None:
    """Each bridge tells its share in order, some of it twice; whose turn it is, is left to chance."""
    seqs = range(first, first + len(split))
    shares = [
        [seq for seq, mine in zip(seqs, split, strict=True) if mine is which] for which in (True, False)
    ]
    memory, arrived = Recent(capacity), []
    memory.begin(EPOCHS[0], complete_after=first - 1)
    for is_first, is_repeated in turns:
        share = shares[0] if shares[0] and (is_first or not shares[1]) else shares[1]
        if not share:
            break
        arrived.append(share.pop(0))
        memory.add(arriving(0, arrived[-1]))
        if is_repeated:
            assert memory.add(arriving(0, arrived[-1])) is Arrival.KNOWN
        found = [one.seq for one in memory.after(Since(EPOCHS[0], memory.complete_after), SYMBOLS)]
        assert found == sorted(seq for seq in arrived if seq > memory.complete_after)
    assert len(arrived) == len(split)
    if capacity >= len(split):
        assert [one.seq for one in memory.after(Since(EPOCHS[0], first - 1), SYMBOLS)] == list(seqs)
