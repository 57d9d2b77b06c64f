"""Who calls behind proxies: only our proxies are believed, and only about the hop before them."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.networks import (
    MOST_NETWORKS,
    UNKNOWN,
    MalformedNetwork,
    allows,
    block_of,
    check_networks,
    client_address,
    parse_networks,
)

PROXY, SECOND_PROXY = "10.0.0.1", "10.0.0.2"
TRUSTED = ("10.0.0.0/8", "2001:db8:ffff::/48")
CLIENT, STRANGER = "203.0.113.7", "198.51.100.9"

GARBAGE = [
    "",
    " ",
    "unknown",
    "_hidden",
    "203.0.113",
    "203.0.113.256",
    "010.0.0.1",
    "evil.example",
    "\0",
    "²",
]

written_by_clients = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from([*GARBAGE, PROXY, SECOND_PROXY, STRANGER, "::1", "[::1]:80", "1.2.3.4:5", ","]),
    ),
    max_size=5,
)
outside = st.ip_addresses().filter(
    lambda address: (
        not any(
            (getattr(address, "ipv4_mapped", None) or address) in network
            for network in map(ipaddress.ip_network, TRUSTED)
        )
    )
)


def address_of(
    *forwarded_for: str,
    peer: str | None = PROXY,
    real_ip: str | None = None,
    trusted: tuple[str, ...] = TRUSTED,
) -> str:
    """The client's address when `peer` sent these X-Forwarded-For lines."""
    return client_address(peer, forwarded_for, real_ip, trusted)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([CLIENT], CLIENT),
        ([f"{STRANGER}, {CLIENT}"], CLIENT),
        ([f"{STRANGER},{CLIENT}, {SECOND_PROXY}"], CLIENT),
        ([STRANGER, CLIENT], CLIENT),
        ([f"{CLIENT}, {SECOND_PROXY}", SECOND_PROXY], CLIENT),
        ([CLIENT, f"{SECOND_PROXY}, {STRANGER}"], STRANGER),
        ([SECOND_PROXY], SECOND_PROXY),
        ([f"10.0.0.3, {SECOND_PROXY}"], "10.0.0.3"),
        ([], PROXY),
        ([CLIENT + f", {SECOND_PROXY}" * 31], CLIENT),
        ([CLIENT + f", {SECOND_PROXY}" * 32], SECOND_PROXY),
    ],
    ids=range(11),
)
def test_the_client_is_the_right_most_hop_over_all_lines_that_is_no_proxy_of_ours(
    lines: list[str], expected: str
) -> None:
    assert address_of(*lines) == expected


@pytest.mark.parametrize("peer", [STRANGER, "2001:db8::1", "11.0.0.1"])
def test_a_peer_that_is_no_proxy_of_ours_is_the_client_whatever_it_says(peer: str) -> None:
    assert address_of(CLIENT, peer=peer, real_ip=CLIENT) == peer


def test_without_trusted_proxies_the_peer_is_the_client() -> None:
    assert address_of(CLIENT, real_ip=CLIENT, trusted=()) == PROXY


@given(written=written_by_clients, seen=outside, in_one_line=st.booleans(), further=st.booleans())
def test_what_a_client_writes_left_of_our_proxys_entry_never_counts(
    written: list[str],
    seen: ipaddress.IPv4Address | ipaddress.IPv6Address,
    in_one_line: bool,
    further: bool,
) -> None:
    ours = [str(seen), SECOND_PROXY] if further else [str(seen)]
    lines = [", ".join([*written, *ours])] if in_one_line else [*written, *ours]
    assert address_of(*lines) == address_of(*ours) == address_of(str(seen), real_ip=STRANGER)
    assert address_of(*lines) != PROXY


@given(st.lists(st.text(max_size=40), max_size=4), st.text(max_size=40))
def test_whatever_is_sent_the_answer_is_an_address(lines: list[str], peer: str) -> None:
    ipaddress.ip_address(address_of(*lines))
    found = address_of(*lines, peer=peer)
    assert found == UNKNOWN or ipaddress.ip_address(found)


@pytest.mark.parametrize(
    ("hop", "expected"),
    [
        ("203.0.113.7:4711", CLIENT),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:203.0.113.7", CLIENT),
        ("[::ffff:203.0.113.7]:80", CLIENT),
        ("fe80::1%eth0", "fe80::1"),
        ("\t203.0.113.7 ", CLIENT),
    ],
)
def test_ports_brackets_zones_and_ipv4_in_ipv6_are_taken_off(hop: str, expected: str) -> None:
    assert address_of(hop) == expected


@pytest.mark.parametrize("hop", GARBAGE)
def test_the_last_hop_that_can_be_read_counts_and_nothing_left_of_garbage(hop: str) -> None:
    assert address_of(f"{STRANGER}, {hop}") == PROXY
    assert address_of(f"{STRANGER}, {hop}, {SECOND_PROXY}") == SECOND_PROXY
    assert address_of(f"{STRANGER}, {hop}, {CLIENT}") == CLIENT


@pytest.mark.parametrize("peer", [None, "", "/run/gateway.sock", "testclient"])
def test_a_peer_without_an_address_is_unknown_and_not_believed(peer: str | None) -> None:
    assert address_of(CLIENT, peer=peer, real_ip=CLIENT) == UNKNOWN


@pytest.mark.parametrize("peer", [f"::ffff:{PROXY}", "2001:db8:ffff::1"])
def test_proxies_are_known_by_ipv6_and_by_ipv4_in_ipv6(peer: str) -> None:
    assert address_of(CLIENT, peer=peer) == CLIENT


def test_a_proxy_in_an_ipv4_in_ipv6_network_is_known_too() -> None:
    assert address_of(CLIENT, trusted=("::ffff:10.0.0.0/104",)) == CLIENT


def test_x_real_ip_counts_only_where_there_is_no_x_forwarded_for() -> None:
    assert address_of(real_ip=CLIENT) == CLIENT
    assert address_of(STRANGER, real_ip=CLIENT) == STRANGER
    assert address_of("", real_ip=CLIENT) == PROXY
    assert address_of(real_ip="junk") == PROXY


@pytest.mark.parametrize(
    ("address", "block"),
    [
        (CLIENT, CLIENT),
        ("::ffff:203.0.113.7", CLIENT),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", UNKNOWN),
        (UNKNOWN, UNKNOWN),
        ("junk", UNKNOWN),
    ],
)
def test_an_ipv4_address_counts_alone_and_an_ipv6_address_with_its_64(address: str, block: str) -> None:
    assert block_of(address) == block


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_nobody_leaves_their_block_by_changing_the_lower_half(low: int, other: int) -> None:
    upper = 0x2001_0DB8_0001_0002 << 64
    first, second = (str(ipaddress.IPv6Address(upper | half)) for half in (low, other))
    assert block_of(first) == block_of(second)


def test_a_key_without_networks_may_come_from_anywhere() -> None:
    assert allows((), CLIENT)
    assert allows((), UNKNOWN)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.0", True),
        ("203.0.113.255", True),
        ("203.0.114.0", False),
        ("::ffff:203.0.113.7", True),
        ("2001:db8::5", True),
        ("2001:db9::5", False),
        (UNKNOWN, False),
        ("", False),
    ],
)
def test_a_key_with_networks_may_come_from_them_alone(address: str, expected: bool) -> None:
    assert allows(("203.0.113.0/24", "2001:db8::/32"), address) is expected


def test_networks_are_put_in_their_normal_form_without_duplicates_in_order() -> None:
    texts = [" 203.0.113.0/24 ", "198.51.100.9", "2001:DB8::/32", "203.0.113.0/24", "::ffff:198.51.100.9"]
    assert check_networks(texts) == ["203.0.113.0/24", "198.51.100.9/32", "2001:db8::/32"]
    assert check_networks([]) == []


@pytest.mark.parametrize("text", ["", "junk", "203.0.113.7/24", "203.0.113.0/33", "2001:db8::1/32", "0/0"])
def test_what_is_no_network_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(MalformedNetwork, match=r"203\.0\.113\.0/24"):
        check_networks([text])
    with pytest.raises(MalformedNetwork):
        parse_networks((text,))


def test_the_number_of_networks_is_bounded() -> None:
    networks = [f"10.0.{number}.0/24" for number in range(MOST_NETWORKS)]
    assert len(check_networks([*networks, networks[0]])) == MOST_NETWORKS
    with pytest.raises(MalformedNetwork, match="more than 50"):
        check_networks([*networks, "10.1.0.0/24"])


@given(st.ip_addresses(network="203.0.113.0/24"))
def test_what_was_checked_allows_what_it_names(address: ipaddress.IPv4Address) -> None:
    assert allows(tuple(check_networks([str(address)])), str(address))
    assert allows(tuple(check_networks([f"::ffff:{address}"])), str(address))
