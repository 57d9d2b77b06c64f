"""A payload of the pipeline becomes a typed event in UTC, or is refused with the place and the reason."""

from __future__ import annotations

import contextlib
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from events import prediction_updated
from events.prediction_updated import PayloadRefused, PredictionUpdated, check_times, decode, encode

PATTERN = re.compile(r"^[A-Z]{1,5}$")
MINIMAL: dict[str, Any] = {
    "symbol": "AAPL",
    "timestamp": "2013-03-01T21:00:00Z",
    "current_price": 430.47,
    "predicted_price": 431.5,
    "confidence": 0.62,
    "horizon": "1d",
    "model_version": "walk-forward-1",
}
FEATURES = {"return_1d": -0.025, "volume": 19730300, "gap": None, "regime": "calm", "split": False}


def payload(**changes: Any) -> bytes:
    """A valid payload with `changes`."""
    return json.dumps({**MINIMAL, **changes}).encode()


def with_json(field: str, text: str) -> bytes:
    """A payload in which `field` has the JSON `text`, which `json` itself would not write."""
    return payload(**{field: "@@"}).replace(b'"@@"', text.encode())


def read(data: bytes) -> PredictionUpdated:
    """Decode with the default symbol pattern."""
    return decode(data, symbol_pattern=PATTERN)


def reason(data: bytes) -> str:
    """Why `data` is refused."""
    with pytest.raises(PayloadRefused) as raised:
        read(data)
    return str(raised.value)


def test_a_minimal_payload_has_neither_as_of_nor_features() -> None:
    event = read(payload())
    assert (event.symbol, event.horizon, event.confidence) == ("AAPL", "1d", 0.62)
    assert event.timestamp == event.market_time == datetime(2013, 3, 1, 21, tzinfo=UTC)
    assert (event.as_of, event.features) == (None, None)


def test_a_full_payload_keeps_every_feature_with_its_type() -> None:
    event = read(payload(as_of="2013-02-28T21:00:00Z", features=FEATURES))
    assert event.features == FEATURES
    assert list(map(type, (event.features or {}).values())) == list(map(type, FEATURES.values()))
    assert event.market_time == datetime(2013, 2, 28, 21, tzinfo=UTC)


def test_optional_fields_may_be_null_and_unknown_fields_are_ignored() -> None:
    assert read(payload(as_of=None, features=None, colour=["red"])) == read(payload())


def test_a_price_is_any_positive_number_that_one_can_compute_with() -> None:
    for price in (1, 1e-30, 1e30, 0.01):
        assert read(payload(current_price=price, predicted_price=price)).current_price == price
    for price in (1e-31, 1.7e308):
        assert "$.current_price" in reason(payload(current_price=price))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({}, ""),
        ({"timestamp": "2013-03-01T21:05:00Z"}, ""),
        ({"as_of": "2013-03-02T21:00:00Z"}, ""),
        ({"timestamp": "2013-03-01T21:05:01Z"}, "$.timestamp"),
        ({"timestamp": "9999-12-30T00:00:00Z"}, "$.timestamp"),
        ({"as_of": "2013-03-02T21:00:01Z"}, "$.as_of"),
        ({"as_of": "9998-01-01"}, "$.as_of"),
    ],
)
def test_what_comes_from_the_future_is_refused(changes: dict[str, Any], place: str) -> None:
    event = read(payload(**changes))
    published_at = datetime(2013, 3, 1, 21, tzinfo=UTC)
    if not place:
        check_times(event, published_at=published_at)
        return
    with pytest.raises(PayloadRefused, match=re.escape(place)):
        check_times(event, published_at=published_at)


@pytest.mark.parametrize("data", [b"", b" ", b"{", b"x", b"{'symbol': 'A'}", b"\x00", payload()[:-1]])
def test_what_is_not_json_is_refused(data: bytes) -> None:
    assert re.search("malformed|truncated", reason(data))


@pytest.mark.parametrize("junk", [b"x", b"\x00", b"{}", payload()])
def test_nothing_but_white_space_may_surround_the_object(junk: bytes) -> None:
    assert "malformed" in reason(payload() + junk)
    assert reason(junk + payload())
    assert read(b" \r\n\t" + payload() + b"\n") == read(payload())


def test_only_utf_8_without_a_mark_is_read() -> None:
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        assert "malformed" in reason(payload().decode().encode(encoding))


def test_json_that_is_no_object_is_refused() -> None:
    for data in (b"[]", b"1", b'"x"', b"null", b"true"):
        assert reason(data).startswith("Expected `object`, got ")


@pytest.mark.parametrize("field", MINIMAL)
def test_a_missing_field_is_named(field: str) -> None:
    rest = {name: value for name, value in MINIMAL.items() if name != field}
    assert reason(json.dumps(rest).encode()) == f"Object missing required field `{field}`"


@pytest.mark.parametrize("field", MINIMAL)
def test_a_field_of_the_wrong_type_is_named(field: str) -> None:
    number_or_text = "1" if isinstance(MINIMAL[field], float) else 1
    wrong: tuple[object, ...] = (None, True, [], {}, number_or_text)
    for value in wrong:
        assert f"`$.{field}`" in reason(payload(**{field: value}))


@pytest.mark.parametrize("value", [[], True, 1])
def test_an_optional_field_of_the_wrong_type_is_named(value: object) -> None:
    assert "`$.features`" in reason(payload(features=value))
    assert "`$.as_of`" in reason(payload(as_of=value))


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" + "0" * 400])
@pytest.mark.parametrize("field", ["current_price", "predicted_price", "confidence", "features"])
def test_a_number_that_is_not_finite_is_refused(field: str, text: str) -> None:
    value = f'{{"a": {text}}}' if field == "features" else text
    assert re.search("malformed|range|Expected `int`", reason(with_json(field, value)))


def test_confidence_reaches_from_0_to_1_and_no_further() -> None:
    assert [read(payload(confidence=share)).confidence for share in (0, 1, 1e-9)] == [0, 1, 1e-9]
    for wrong in (-0.0001, 1.0001, -1, 2, 62):
        assert "`$.confidence`" in reason(payload(confidence=wrong))


@pytest.mark.parametrize("field", ["current_price", "predicted_price"])
@pytest.mark.parametrize("text", ["0", "0.0", "-0.0", "-1", "-1e-9", "1e-400"])
def test_a_price_that_is_not_positive_is_refused(field: str, text: str) -> None:
    assert f"`$.{field}`" in reason(with_json(field, text))


@pytest.mark.parametrize("text", ["", "now", "2013-03-01", "2013-02-30T21:00:00Z", "2013-03-01T21:00Z"])
def test_a_timestamp_that_is_no_rfc_3339_moment_is_refused(text: str) -> None:
    assert "`$.timestamp`" in reason(payload(timestamp=text))


@pytest.mark.parametrize("text", ["", "2013-02-30", "2013-W09-5", "20130301", " 2013-03-01", "2013-03-01Z"])
def test_an_as_of_that_is_neither_moment_nor_date_is_refused(text: str) -> None:
    assert reason(payload(as_of=text)).startswith("Invalid time - at `$.as_of`: ")
    with pytest.raises(ValueError, match=r"."):
        prediction_updated.parse_market_time(text)


@pytest.mark.parametrize("field", ["timestamp", "as_of"])
@pytest.mark.parametrize(
    "clock", ["21:00:00", "24:00:00Z", "21:00:61Z", "21:00:00,5Z", "21:00:00 Z", "21:00:00Z\0"]
)
def test_a_time_without_an_offset_or_that_does_not_exist_is_refused(field: str, clock: str) -> None:
    assert f"`$.{field}`" in reason(payload(**{field: f"2013-03-01T{clock}"}))


@pytest.mark.parametrize("field", ["timestamp", "as_of"])
@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_a_time_that_leaves_the_calendar_in_utc_is_refused(field: str, text: str) -> None:
    assert f"`$.{field}`" in reason(payload(**{field: text}))


@pytest.mark.parametrize("date", ["2013-03-01", "0001-01-01", "9999-12-31", "2012-02-29"])
def test_a_date_alone_means_its_midnight_utc(date: str) -> None:
    event = read(payload(as_of=date))
    assert event.market_time == datetime.fromisoformat(f"{date}T00:00:00+00:00")
    assert event.market_time.tzinfo is UTC
    assert event.as_of == f"{date}T00:00:00+00:00"


@pytest.mark.parametrize("offset", ["T21:00:00.000001Z", "T16:00:00.000001-05:00", "T22:30:00.000001+01:30"])
def test_both_times_are_turned_to_utc(offset: str) -> None:
    event = read(payload(timestamp=f"2013-03-01{offset}", as_of=f"2013-03-01{offset}"))
    assert event.timestamp == event.market_time == datetime(2013, 3, 1, 21, 0, 0, 1, tzinfo=UTC)
    assert (event.timestamp.tzinfo, event.market_time.tzinfo) == (UTC, UTC)
    assert event.as_of == "2013-03-01T21:00:00.000001+00:00"


@pytest.mark.parametrize("field", ["horizon", "model_version"])
@pytest.mark.parametrize("text", ["", "a\x00", "\x00", "a\n", "\t", "a\x1fb", "\x7f", "x" * 65])
def test_a_label_that_is_empty_too_long_or_has_control_characters_is_refused(field: str, text: str) -> None:
    assert f"`$.{field}`" in reason(payload(**{field: text}))


@pytest.mark.parametrize("field", [*MINIMAL, "as_of", "features"])
@pytest.mark.parametrize("text", [r'"\ud800"', r'"\udc00"', r'"\ud800x"', r'"\ud83d\ud83d"', r'"x\udfff"'])
def test_a_lone_surrogate_is_refused_wherever_it_stands(field: str, text: str) -> None:
    reason(with_json(field, text))
    reason(with_json("features", f'{{"a": {text}}}'))
    reason(with_json("features", f"{{{text}: 1}}"))


@pytest.mark.parametrize("field", ["symbol", "horizon", "model_version", "as_of", "timestamp"])
@pytest.mark.parametrize("junk", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80"])
def test_bad_utf_8_is_refused(field: str, junk: bytes) -> None:
    reason(payload(**{field: "@@"}).replace(b"@@", junk))
    reason(payload(features={"@@": "x"}).replace(b"@@", junk))
    reason(payload(features={"x": "@@"}).replace(b"@@", junk))


def test_nested_features_are_refused() -> None:
    for value in ([], [1], {}, {"b": 1}):
        assert "`$.features[...]`" in reason(payload(features={"a": value}))


def test_a_thousand_features_fit_and_one_more_does_not() -> None:
    many = {str(number): number for number in range(prediction_updated.MAX_FEATURES)}
    assert len(read(payload(features=many)).features or {}) == 1000
    assert "`$.features`" in reason(payload(features={**many, "more": 1}))


def test_feature_names_and_texts_have_a_longest_length_and_no_nul() -> None:
    fits = {"n" * 128: "t" * 1024, "": "", "tab\t": "line\n"}
    assert read(payload(features=fits)).features == fits
    for wrong in ({"n" * 129: 1}, {"a": "t" * 1025}, {"a\x00": 1}, {"a": "\x00"}):
        assert "$.features" in reason(payload(features=wrong))


def test_a_feature_that_is_an_integer_has_64_bits_at_most() -> None:
    fits = {"low": -(2**63), "high": 2**63 - 1}
    assert read(payload(features=fits)).features == fits
    for wrong in (-(2**63) - 1, 2**63, 2**64, 10**400):
        assert "`$.features" in reason(payload(features={"a": wrong}))


def test_a_payload_may_be_as_long_as_the_limit_and_no_longer() -> None:
    most = prediction_updated.MAX_PAYLOAD_BYTES
    assert read(payload().ljust(most)) == read(payload())
    assert reason(payload().ljust(most + 1)) == f"payload of {most + 1} bytes; at most {most}"


@pytest.mark.parametrize("opened", [b"[", b'{"a":'])
def test_deep_nesting_is_refused_and_does_not_overflow(opened: bytes) -> None:
    for start in (b"", payload()[:-1] + b',"x":', payload()[:-1] + b',"features":{"a":'):
        reason(start + opened * 25_000)
    reason(payload()[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@pytest.mark.parametrize("symbol", ["", "aapl", "ABCDEF", "A.B", " AAPL", "A\n", "A\x00", "ÀÉ", "A" * 9999])
def test_a_malformed_symbol_is_refused_with_the_pattern_and_quoted_in_short(symbol: str) -> None:
    text = reason(payload(symbol=symbol))
    assert text == f"Symbol {symbol[:32]!r} does not match {PATTERN.pattern} - at `$.symbol`"
    assert len(text) < 200


def test_a_label_may_have_64_characters_of_any_script() -> None:
    assert read(payload(horizon="é" * 64)).horizon == "é" * 64


def test_the_symbol_pattern_is_an_argument() -> None:
    assert decode(payload(symbol="BRK.B"), symbol_pattern=re.compile(r"[A-Z.]{1,8}")).symbol == "BRK.B"


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_raise_anything_but_payload_refused(data: bytes) -> None:
    reason(data)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.text(max_size=8), leaves, max_size=3)


@given(field=st.sampled_from([*MINIMAL, "as_of", "features", "other"]), value=anything)
@example(field="features", value={"a": 2**64})
def test_arbitrary_json_in_a_field_is_refused_or_encodable_again(field: str, value: object) -> None:
    with contextlib.suppress(PayloadRefused):
        event = read(payload(**{field: value}))
        assert read(encode(event)) == event


offsets = st.sampled_from([UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=30))])
moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=offsets)  # noqa: DTZ001
labels = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=64)
prices = st.floats(min_value=1e-30, max_value=1e30)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
integers = st.integers(min_value=-(2**63), max_value=2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.builds(
        PredictionUpdated,
        symbol=st.from_regex(r"\A[A-Z]{1,5}\Z"),
        timestamp=moments,
        current_price=prices,
        predicted_price=prices,
        confidence=st.floats(min_value=0, max_value=1),
        horizon=labels,
        model_version=labels,
        as_of=st.none() | moments.map(lambda moment: moment.isoformat()) | st.dates().map(str),
        features=st.none() | st.dictionaries(texts, st.none() | st.booleans() | integers | finite | texts),
    )
)
def test_a_valid_event_comes_back_from_its_encoding(event: PredictionUpdated) -> None:
    decoded = read(encode(event))
    assert decoded.market_time == event.market_time
    assert decoded == msgspec.structs.replace(event, as_of=decoded.as_of)
    assert read(encode(decoded)) == decoded
