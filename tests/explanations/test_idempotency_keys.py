"""Whatever stands in ``Idempotency-Key``: a key within its bounds, or a refusal."""

from __future__ import annotations

import contextlib
import string

from hypothesis import given
from hypothesis import strategies as st

from explanations.idempotency import LONGEST_KEY, MalformedKey, read_key
from tests.examples import examples

PRINTABLE = string.ascii_letters + string.digits + string.punctuation + " "


@given(header=st.text(max_size=300) | st.text(alphabet='"\\a ', max_size=20))
@examples(300)
def test_a_key_is_printable_and_bounded_or_refused(header: str) -> None:
    with contextlib.suppress(MalformedKey):
        key = read_key(header)
        assert 1 <= len(key) <= LONGEST_KEY
        assert set(key) <= set(PRINTABLE)


@given(key=st.text(alphabet=PRINTABLE, min_size=1, max_size=LONGEST_KEY))
@examples(200)
def test_every_printable_key_can_be_said_as_a_quoted_string(key: str) -> None:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    assert read_key(f'"{escaped}"') == key
