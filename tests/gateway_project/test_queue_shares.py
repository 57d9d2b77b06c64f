"""What one address may have of a queue."""

from __future__ import annotations

import contextlib

import pytest

from gateway_project.admission import Refused
from gateway_project.queue_shares import QueueShares

ADDRESS = "203.0.113.7"


def test_503_for_an_address_beyond_its_share_alone() -> None:
    shares = QueueShares(2, retry_s=3)
    with shares.hold(ADDRESS), shares.hold(ADDRESS):
        with pytest.raises(Refused) as refused, shares.hold(ADDRESS):
            pass
        assert (refused.value.code, refused.value.headers) == ("OVERLOADED", [("Retry-After", "3")])
        assert refused.value.extra == {"retry_after": 3}
        with shares.hold("203.0.113.8"):
            pass


def test_the_share_of_ipv6_is_one_of_a_64() -> None:
    shares = QueueShares(1, retry_s=1)
    with shares.hold("2001:db8::1"):
        with pytest.raises(Refused), shares.hold("2001:db8::2"):
            pass
        with shares.hold("2001:db8:0:1::1"):
            pass


def test_whoever_holds_nothing_is_not_remembered() -> None:
    shares = QueueShares(1, retry_s=1)
    for number in range(100):
        with contextlib.suppress(OSError), shares.hold(f"203.0.113.{number}"):
            assert len(shares) == 1
            with pytest.raises(Refused), shares.hold(f"203.0.113.{number}"):
                pass
            raise OSError
    assert len(shares) == 0
