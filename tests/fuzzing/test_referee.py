"""The referee of the flood says of every case of the RFC what the server is tested to do."""

from __future__ import annotations

import pytest

from tests.fuzzing.referee import NO_CODE, OF_REQUESTS, judge
from tests.integration.frame_cases import CASES, TEXT, Case, closing, frame


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_server_may_end_as_the_table_has_it_and_not_otherwise(case: Case) -> None:
    written = b"".join(case.sent)
    last = case.heard[-1] if case.heard else None
    if last is None or last[0] != "close":
        assert judge(written) == frozenset()
        assert judge(written + closing(1000)) - OF_REQUESTS == {1000}
    elif last[1] not in OF_REQUESTS:
        code = NO_CODE if last[1] is None else last[1]
        assert code in judge(written)
        assert judge(written) <= {code, *OF_REQUESTS}


@pytest.mark.parametrize("missing", [1, 5, 60])
def test_a_frame_that_has_not_come_whole_is_waited_for(missing: int) -> None:
    for reserved in (0, 5):
        whole = frame(TEXT, b"x" * 60, reserved=reserved)
        assert judge(whole[:-missing]) == frozenset()


def test_what_may_be_told_depends_on_what_was_asked_before() -> None:
    ping, broken = frame(TEXT, b'{"action":"ping"}'), frame(TEXT, reserved=1)
    assert judge(broken) == {1002}
    assert judge(ping + broken) == {1002} | OF_REQUESTS
