"""Access tokens: what is issued is understood, and everything else is refused for its reason. No database."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from accounts import keys, tokens
from accounts.tokens import AccessClaims, InvalidToken, issue_access_token, verify_access_token
from tests.examples import examples

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOW_S = int(NOW.timestamp())
FAMILY = uuid.UUID("0b39cd3c-6a35-4b7e-9d6f-000000000001")

OLD, NEW = f"old:{'o' * 32}", f"new:{'n' * 32}"

CLAIMS: dict[str, Any] = {
    "iss": "prediction-gateway",
    "aud": "prediction-gateway-api",
    "sub": "7",
    "sid": str(FAMILY),
    "jti": "one",
    "iat": NOW_S,
    "exp": NOW_S + 600,
}


@pytest.fixture(autouse=True)
def _known_settings(settings: Settings) -> None:
    use(settings, jwt_keys=[])


def use(settings: Settings, **changes: Any) -> None:
    """Change settings of the gateway."""
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, **changes)


def encode(part: object) -> bytes:
    """JSON (bytes as they are) in base64url without padding."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def forge(
    header: dict[str, Any] | None = None,
    claims: object = None,
    *,
    secret: bytes | None = None,
    digest: str = "sha256",
) -> str:
    """A token made by hand, signed with `secret` or our own key; None leaves a field of the header out."""
    held = tokens.current_keys()
    merged = {"alg": "HS256", "typ": "at+jwt", "kid": held.signing_kid, **(header or {})}
    kept = {name: value for name, value in merged.items() if value is not None}
    signed = encode(kept) + b"." + encode(CLAIMS if claims is None else claims)
    if secret is None:
        secret = held.secrets[held.signing_kid]
    return (signed + b"." + encode(hmac.digest(secret, signed, digest))).decode()


def with_claims(**changes: Any) -> str:
    """A token of ours with other claims; None leaves one out."""
    merged = {**CLAIMS, **changes}
    return forge(claims={name: value for name, value in merged.items() if value is not None})


def refusal(text: str, now: datetime = NOW) -> str:
    """The reason of the refusal; its text must not repeat the token."""
    with pytest.raises(InvalidToken) as refused:
        verify_access_token(text, now=now)
    assert refused.value.detail == str(refused.value)
    assert len(text) < 3 or text not in repr(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    return refused.value.reason


def test_what_was_issued_says_who_by_which_login_and_until_when() -> None:
    token = issue_access_token(7, FAMILY, now=NOW)
    assert verify_access_token(token, now=NOW) == AccessClaims(7, FAMILY, NOW + timedelta(seconds=600))
    assert tokens.looks_like_jwt(token)
    assert len(token) < 512


def test_header_and_claims_are_those_that_the_document_names() -> None:
    token = issue_access_token(7, FAMILY, now=NOW)
    header = jwt.get_unverified_header(token)
    assert header == {"alg": "HS256", "typ": "at+jwt", "kid": tokens.current_keys().signing_kid}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims.keys() == CLAIMS.keys()
    assert {**claims, "jti": "one"} == CLAIMS


def test_no_two_tokens_are_the_same() -> None:
    assert issue_access_token(7, FAMILY, now=NOW) != issue_access_token(7, FAMILY, now=NOW)


def test_a_token_does_not_outlive_its_login() -> None:
    end = NOW + timedelta(seconds=90)
    assert (
        verify_access_token(issue_access_token(7, FAMILY, now=NOW, not_after=end), now=NOW).expires_at == end
    )
    late = NOW + timedelta(days=1)
    token = issue_access_token(7, FAMILY, now=NOW, not_after=late)
    assert verify_access_token(token, now=NOW).expires_at == NOW + timedelta(seconds=600)


def test_the_token_made_by_hand_is_good_so_that_the_refusals_below_mean_something() -> None:
    assert verify_access_token(forge(), now=NOW).user_id == 7


def test_alg_none_is_refused_whatever_its_case() -> None:
    for name in ("none", "None", "NONE"):
        signed, _, signature = forge({"alg": name}).rpartition(".")
        assert refusal(f"{signed}.") == "signature"
        assert refusal(f"{signed}.{signature}") == "signature"


@pytest.mark.parametrize(
    "name", ["RS256", "ES256", "PS256", "EdDSA", "HS384", "HS512", "", None, ["HS256"], 1]
)
def test_another_algorithm_is_refused_even_over_a_good_signature(name: Any) -> None:
    assert refusal(forge({"alg": name})) == "signature"


def test_a_longer_hash_with_our_key_is_refused() -> None:
    assert refusal(forge({"alg": "HS512"}, digest="sha512")) == "signature"


def test_a_public_key_is_no_secret_to_sign_with() -> None:
    pem = b"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----\n"
    for name in ("HS256", "RS256"):
        assert refusal(forge({"alg": name}, secret=pem)) == "signature"


@pytest.mark.parametrize("header", [{"jwk": {"kty": "oct", "k": "AAAA"}}, {"jku": "https://evil.example"}])
def test_a_key_that_the_token_brings_along_is_not_used(header: dict[str, Any]) -> None:
    assert refusal(forge(header, secret=b"\0\0\0")) == "signature"


def test_a_wrong_or_missing_kid_is_refused() -> None:
    assert refusal(forge({"kid": "other"})) == "signature"
    assert refusal(forge({"kid": None})) == "signature"
    assert refusal(forge({"kid": ""})) == "signature"
    assert refusal(forge({"kid": 7})) in ("signature", "claims")
    assert refusal(forge({"kid": ["a"]})) in ("signature", "claims")


def test_a_wrong_secret_and_a_changed_claim_are_refused() -> None:
    assert refusal(forge(secret=b"x" * 32)) == "signature"
    header, _, signature = forge().split(".")
    changed = encode({**CLAIMS, "sub": "8"}).decode()
    assert refusal(f"{header}.{changed}.{signature}") == "signature"
    assert refusal(f"{header}.{encode(CLAIMS).decode()}.") == "signature"


@pytest.mark.parametrize("typ", [None, "JWT", "AT+JWT", "application/at+jwt", "", 1])
def test_another_type_is_refused(typ: Any) -> None:
    assert refusal(forge({"typ": typ})) == "claims"


@pytest.mark.parametrize("header", [{"crit": ["x"], "x": 1}, {"crit": []}, {"crit": ["b64"], "b64": False}])
def test_a_header_that_demands_what_is_not_supported_is_refused(header: dict[str, Any]) -> None:
    assert refusal(forge(header)) in ("malformed", "claims")


@pytest.mark.parametrize("claim", sorted(CLAIMS))
def test_every_claim_is_required(claim: str) -> None:
    assert refusal(with_claims(**{claim: None})) == "claims"


WRONG: dict[str, list[Any]] = {
    "iss": ["other", ["prediction-gateway"]],
    "aud": ["other", "", ["prediction-gateway-api"], ["prediction-gateway-api", "other"]],
    "sub": [7, "seven", "-7", "07", "7.0", "7\n", "\u0667", "", "9" * 19],
    "sid": [7, "7", FAMILY.hex, f"urn:uuid:{FAMILY}", str(FAMILY).upper()],
    "jti": [1],
    "iat": ["now", True, NOW_S + 0.5, NOW_S + 6],
    "exp": ["later", float("nan"), float("inf"), [NOW_S], 10**30],
}


@pytest.mark.parametrize(("claim", "value"), [(claim, value) for claim in WRONG for value in WRONG[claim]])
def test_a_claim_that_is_not_what_we_write_is_refused(claim: str, value: Any) -> None:
    assert refusal(with_claims(**{claim: value})) == "claims"


def test_a_token_expires_when_the_leeway_has_passed() -> None:
    end = NOW + timedelta(seconds=600 + tokens.LEEWAY_S)
    token = issue_access_token(7, FAMILY, now=NOW)
    assert verify_access_token(token, now=end - timedelta(milliseconds=1)).user_id == 7
    assert refusal(token, now=end) == "expired"


def test_a_token_from_the_future_is_good_within_the_leeway_only() -> None:
    token = issue_access_token(7, FAMILY, now=NOW)
    assert verify_access_token(token, now=NOW - timedelta(seconds=tokens.LEEWAY_S)).user_id == 7
    assert refusal(token, now=NOW - timedelta(seconds=tokens.LEEWAY_S + 1)) == "claims"


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "eyJ", "eyJhbGciOiJIUzI1NiJ9", "\ud800.e30.AA"])
def test_what_has_not_the_form_is_malformed(text: str) -> None:
    assert refusal(text) == "malformed"


def test_parts_that_are_no_json_objects_are_malformed() -> None:
    header, payload, signature = forge().split(".")
    for part in (b"[]", b"7", b"{", b"\xff", b"[" * 2000):
        assert refusal(f"{encode(part).decode()}.{payload}.{signature}") == "malformed"
        assert refusal(forge(claims=part)) == "malformed"
    assert refusal(f"{header}.{payload}.{signature}.{signature}") == "malformed"
    assert refusal(f"{header}.{payload}.!!") == "malformed"


def test_a_token_that_is_too_long_is_not_looked_at() -> None:
    longest = with_claims(more="x" * 2500)
    assert len(longest) < tokens.LONGEST_TOKEN
    assert verify_access_token(longest, now=NOW).user_id == 7
    assert refusal(with_claims(more="x" * 4096)) == "malformed"


def test_without_keys_of_its_own_the_gateway_derives_one_from_the_secret_key(
    settings: Settings,
) -> None:
    held = tokens.current_keys()
    secret = held.secrets[held.signing_kid]
    assert held.signing_kid == hashlib.sha256(secret).hexdigest()[:8]
    assert len(secret) == 32
    assert settings.SECRET_KEY.encode() not in secret
    token = issue_access_token(7, FAMILY, now=NOW)
    settings.SECRET_KEY = "another-secret-key-another-secret-key"
    assert refusal(token) == "signature"


def test_keys_rotate_without_ending_what_the_older_one_has_signed(settings: Settings) -> None:
    use(settings, jwt_keys=[OLD])
    before = issue_access_token(7, FAMILY, now=NOW)
    use(settings, jwt_keys=[NEW, OLD])
    after = issue_access_token(7, FAMILY, now=NOW)
    assert [jwt.get_unverified_header(token)["kid"] for token in (before, after)] == ["old", "new"]
    assert verify_access_token(before, now=NOW) == verify_access_token(after, now=NOW)
    use(settings, jwt_keys=[NEW])
    assert refusal(before) == "signature"
    assert verify_access_token(after, now=NOW).user_id == 7


def test_the_kid_of_one_key_does_not_open_the_door_to_another(settings: Settings) -> None:
    use(settings, jwt_keys=[NEW, OLD])
    assert refusal(forge({"kid": "old"}, secret=b"n" * 32)) == "signature"


def test_a_colon_in_a_secret_belongs_to_it() -> None:
    held = tokens.SigningKeys.from_settings(("a:b:c",), "unused")
    assert held.secrets == {"a": b"b:c"}


def test_keys_do_not_show_their_secrets(settings: Settings) -> None:
    use(settings, jwt_keys=[NEW, OLD])
    assert repr(tokens.current_keys()) == "SigningKeys(new, old)"


def test_the_names_of_issuer_and_audience_are_settings(settings: Settings) -> None:
    token = issue_access_token(7, FAMILY, now=NOW)
    use(settings, jwt_audience="elsewhere")
    assert refusal(token) == "claims"
    assert verify_access_token(issue_access_token(7, FAMILY, now=NOW), now=NOW).user_id == 7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eyJhbGciOiJIUzI1NiJ9.e30.AA", True),
        ("eyJhbGciOiJIUzI1NiJ9", True),
        ("a.b.c", True),
        ("", False),
        ("junk", False),
        ("x" * 100_000, False),
        ("pgw_live_a.b.c", False),
        (keys.make_key(uuid.UUID(int=1), "live", choose=lambda characters: characters[7]), False),
    ],
)
def test_a_token_is_told_from_an_api_key_by_its_looks(text: str, expected: bool) -> None:
    assert tokens.looks_like_jwt(text) is expected


@given(text=st.text(max_size=200) | st.from_regex(r"(eyJ)?[\w-]{0,40}\.(eyJ)?[\w-]{0,40}\.[\w-]{0,40}"))
@examples(200)
def test_whatever_was_not_issued_is_refused(text: str) -> None:
    refusal(text)


@given(place=st.floats(0, 1, exclude_max=True), character=st.characters(codec="ascii"))
@examples(200)
def test_a_token_with_another_character_is_refused(place: float, character: str) -> None:
    token = issue_access_token(7, FAMILY, now=NOW)
    at = int(place * len(token))
    changed = token[:at] + character + token[at + 1 :]
    # The last character of base64 has bits that say nothing.
    if changed != token and at < token.rindex("."):
        refusal(changed)
