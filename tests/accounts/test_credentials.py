"""Which of a request's headers is the credential, before anything is looked up."""

from __future__ import annotations

import uuid

import pytest

from accounts.callers import ANONYMOUS, Caller
from accounts.credentials import CredentialRefused, anonymous, choose_credential, find_credential

Headers = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        ([], None),
        ([(b"host", b"a"), (b"cookie", b"x-api-key=a")], None),
        ([(b"x-api-key", b"a")], "a"),
        ([(b"authorization", b"Bearer a")], "a"),
        ([(b"authorization", b"Bearer a"), (b"x-api-key", b"b")], "b"),
        ([(b"x-api-key", b"b"), (b"authorization", b"Bearer a")], "b"),
        ([(b"authorization", b"Basic dTpw"), (b"x-api-key", b"b")], "b"),
    ],
)
def test_the_api_key_header_goes_before_authorization(headers: Headers, credential: str | None) -> None:
    assert find_credential(headers) == credential


def test_of_a_repeated_header_the_first_one_counts() -> None:
    assert find_credential([(b"x-api-key", b"a"), (b"x-api-key", b"b")]) == "a"
    assert find_credential([(b"authorization", b"Bearer a"), (b"authorization", b"Basic b")]) == "a"


def test_headers_may_come_as_any_iterable() -> None:
    assert find_credential(iter([(b"x-api-key", b"a")])) == "a"


def test_bytes_beyond_ascii_are_read_and_not_an_accident() -> None:
    assert find_credential([(b"x-api-key", b"\xff\x80")]) == "\xff\x80"
    assert find_credential([(b"authorization", b"Bearer \xff")]) == "\xff"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_case_of_bearer_does_not_matter(scheme: str) -> None:
    assert choose_credential(None, f"{scheme} pgw_live_x") == "pgw_live_x"


@pytest.mark.parametrize("value", ["Bearer   a", "  Bearer a", "Bearer a  ", " \tBearer \ta\t "])
def test_white_space_around_the_parts_of_authorization_does_not_matter(value: str) -> None:
    assert choose_credential(None, value) == "a"


def test_white_space_around_the_api_key_does_not_matter() -> None:
    assert choose_credential("  a\t", None) == "a"


def test_a_credential_keeps_its_own_case_and_inner_spaces() -> None:
    assert choose_credential(None, "Bearer AbC dE") == "AbC dE"
    assert choose_credential("AbC dE", None) == "AbC dE"


@pytest.mark.parametrize(
    "value", ["Basic dTpw", "Digest x", "Token a", "Bearera", "Bearer:a", "a", "Api-Key a", "", "  "]
)
def test_another_scheme_is_refused_as_malformed_and_says_what_to_send(value: str) -> None:
    with pytest.raises(CredentialRefused, match="Bearer") as raised:
        choose_credential(None, value)
    assert raised.value.reason == "malformed"
    assert raised.value.detail == str(raised.value)
    assert "X-API-Key" in raised.value.detail
    with pytest.raises(CredentialRefused):
        find_credential([(b"authorization", value.encode())])


def test_the_refusal_does_not_repeat_the_credential() -> None:
    with pytest.raises(CredentialRefused) as raised:
        choose_credential(None, "Basic aHVudGVyMg==")
    assert "aHVudGVyMg" not in str(raised.value)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-api-key", b"")],
        [(b"x-api-key", b"   ")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer ")],
        [(b"x-api-key", b""), (b"authorization", b"Bearer a")],
    ],
)
def test_an_empty_header_is_a_bad_credential_and_not_an_anonymous_caller(headers: Headers) -> None:
    assert find_credential(headers) == ""


def test_the_anonymous_caller_may_read_predictions_and_is_not_authenticated() -> None:
    assert anonymous() is ANONYMOUS
    assert ANONYMOUS.scopes == {"predictions:read"}
    assert (ANONYMOUS.tier, ANONYMOUS.account_id, ANONYMOUS.key_id) == ("anonymous", None, None)
    assert ANONYMOUS.is_active
    assert not ANONYMOUS.is_authenticated


def test_a_caller_with_a_key_is_authenticated() -> None:
    caller = Caller(tier="pro", scopes=frozenset({"stream"}), account_id=1, key_id=uuid.UUID(int=0))
    assert caller.is_authenticated
