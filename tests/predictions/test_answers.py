"""What a reader sees of a prediction, how fresh it is, and when its copy is still good."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictions import answers
from predictions.answers import Shown, combined_etag, matches
from predictions.documents import PredictionDocument, epoch_micros

MADE = datetime(2013, 3, 1, 21, tzinfo=UTC)
STALE_AFTER_S = 300.0
WEAK_TAG = re.compile(r'W/"[!#-~]+"')


def document(**changes: Any) -> PredictionDocument:
    """A prediction of our bridge, with `changes`."""
    return PredictionDocument(
        **{
            "symbol": "AAPL",
            "predicted_price": 431.5,
            "current_price": 430.47,
            "confidence": 0.62,
            "horizon": "1d",
            "model_version": "walk-forward-1",
            "timestamp": MADE,
            "as_of": MADE - timedelta(hours=5),
            "seq": 7,
            "epoch": "18f",
            "features": {"return_1d": -0.02},
            **changes,
        }
    )


def body(shown: PredictionDocument, *, age_s: float = 10.0, include_features: bool = False) -> bytes:
    """The JSON of the answer when the prediction is `age_s` old."""
    return Shown(shown, include_features=include_features).body(**at(age_s))


def show(shown: PredictionDocument, **options: Any) -> answers.PredictionAnswer:
    """That answer."""
    return msgspec.json.decode(body(shown, **options), type=answers.PredictionAnswer)


def etag(tagged: PredictionDocument, *, age_s: float = 10.0, include_features: bool = False) -> str:
    """The validator of that answer."""
    return Shown(tagged, include_features=include_features).etag(**at(age_s))


def at(age_s: float) -> dict[str, Any]:
    """The moment when a prediction is `age_s` old."""
    moment = epoch_micros(MADE + timedelta(seconds=age_s))
    return {"now_us": moment, "stale_after_s": STALE_AFTER_S}


def test_an_answer_has_the_fields_of_the_contract_in_json() -> None:
    assert msgspec.to_builtins(show(document()), builtin_types=(datetime,)) == {
        "symbol": "AAPL",
        "predicted_price": 431.5,
        "current_price": 430.47,
        "confidence": 0.62,
        "horizon": "1d",
        "model_version": "walk-forward-1",
        "timestamp": MADE,
        "as_of": MADE - timedelta(hours=5),
        "seq": 7,
        "age_seconds": 10.0,
        "stale": False,
    }


def test_times_are_written_in_utc_with_a_z() -> None:
    written = body(document())
    assert b'"timestamp":"2013-03-01T21:00:00Z"' in written
    assert b'"as_of":"2013-03-01T16:00:00Z"' in written


def test_features_are_shown_only_when_asked_for() -> None:
    assert b"features" not in body(document())
    asked = msgspec.json.decode(body(document(), include_features=True))
    assert asked["features"] == {"return_1d": -0.02}


def test_a_prediction_without_features_shows_none_when_asked_for() -> None:
    assert show(document(features=None), include_features=True).features == {}


def test_without_as_of_the_timestamp_is_shown() -> None:
    assert show(document(as_of=None)).as_of == MADE


def test_a_foreign_prediction_has_no_sequence() -> None:
    assert b'"seq":null' in body(document(seq=None))


@pytest.mark.parametrize(("age_s", "shown"), [(0, 0.0), (0.0014, 0.001), (1.5, 1.5), (86_400, 86_400.0)])
def test_the_age_is_in_seconds_to_the_millisecond(age_s: float, shown: float) -> None:
    assert show(document(), age_s=age_s).age_seconds == shown


@pytest.mark.parametrize("age_s", [-0.001, -1, -1e6])
def test_a_prediction_from_the_future_has_age_0_and_is_not_stale(age_s: float) -> None:
    answer = show(document(), age_s=age_s)
    assert (answer.age_seconds, answer.stale) == (0.0, False)
    assert etag(document(), age_s=age_s) == etag(document(), age_s=0)


@pytest.mark.parametrize(("age_s", "stale"), [(0, False), (299.999, False), (300, False), (300.000001, True)])
def test_a_prediction_is_stale_when_it_is_older_than_the_threshold(age_s: float, stale: bool) -> None:
    assert show(document(), age_s=age_s).stale is stale
    assert (etag(document(), age_s=age_s) != etag(document(), age_s=0)) is stale


def test_the_validator_is_weak_and_carries_the_symbol() -> None:
    assert WEAK_TAG.fullmatch(etag(document()))
    assert etag(document()).startswith('W/"AAPL-')
    assert etag(document()) != etag(document(symbol="MSFT"))


@pytest.mark.parametrize("later", [timedelta(milliseconds=1), timedelta(seconds=1), timedelta(days=4000)])
def test_the_validator_differs_by_timestamp(later: timedelta) -> None:
    assert etag(document(timestamp=MADE + later), age_s=0) != etag(document(), age_s=0)
    assert etag(document(timestamp=MADE - later), age_s=0) != etag(document(), age_s=0)


def test_the_validator_differs_by_sequence_at_the_same_timestamp() -> None:
    assert len({etag(document(seq=seq)) for seq in (None, *range(1, 1000))}) == 1000


def test_the_validator_differs_by_variant_and_by_staleness() -> None:
    variants = [(10.0, False), (10.0, True), (301.0, False), (301.0, True)]
    tags = {etag(document(), age_s=age_s, include_features=features) for age_s, features in variants}
    assert len(tags) == 4


def test_the_validator_stays_while_only_the_age_moves_on() -> None:
    assert len({etag(document(), age_s=age_s) for age_s in (0, 0.5, 10, 299, 300)}) == 1
    assert len({etag(document(), age_s=age_s) for age_s in (301, 1e6)}) == 1


@given(
    timestamp=st.datetimes(timezones=st.just(UTC)),
    seq=st.none() | st.integers(min_value=0, max_value=2**63 - 1),
    include_features=st.booleans(),
)
def test_every_validator_is_a_well_formed_weak_tag_that_matches_itself(
    timestamp: datetime, seq: int | None, include_features: bool
) -> None:
    tag = etag(document(timestamp=timestamp, seq=seq), include_features=include_features)
    assert WEAK_TAG.fullmatch(tag)
    assert matches(tag, tag)


def test_a_combined_validator_is_weak_and_depends_on_each_part_and_their_order() -> None:
    tags = [combined_etag(parts) for parts in ([], ["a"], ["a", "b"], ["b", "a"], ["ab"], ["a", "b", ""])]
    assert len(set(tags)) == len(tags)
    assert all(WEAK_TAG.fullmatch(tag) for tag in tags)
    assert combined_etag(part for part in ("a", "b")) == combined_etag(["a", "b"])


@pytest.mark.parametrize(
    "offered", ['W/"a"', '"a"', ' W/"a" ', '"x", "a"', 'W/"x",W/"a"', '"a" , "x"', "*", " * "]
)
def test_a_header_that_names_the_tag_weak_or_strong_or_anything_matches(offered: str) -> None:
    assert matches(offered, 'W/"a"')
    assert matches(offered, '"a"')


@pytest.mark.parametrize(
    "offered",
    ["", " ", ",", '""', '"b"', 'W/"b"', "a", "W/a", '"A"', 'w/"a"', '"a', '"aa"', '"b", W/"c"', '"*"'],
)
def test_a_header_that_does_not_name_the_tag_does_not_match(offered: str) -> None:
    assert not matches(offered, 'W/"a"')


def test_answers_vary_by_credential_encoding_and_origin() -> None:
    assert set(answers.VARY.split(", ")) == {"Accept-Encoding", "Authorization", "Origin", "X-API-Key"}


def test_the_etag_tells_a_sequence_number_from_a_variant_and_neighbouring_microseconds() -> None:
    moment = datetime(2004, 3, 3, 21, 20, 14, 91764, tzinfo=UTC)
    tags = {
        Shown(
            document(timestamp=moment + timedelta(microseconds=micros), seq=seq), include_features=features
        ).etag(now_us=epoch_micros(moment), stale_after_s=60)
        for micros in (0, 1)
        for seq, features in ((31, False), (1, True), (0x1F, True))
    }
    assert len(tags) == 6


@given(
    age_us=st.integers(-(10**6), 10**15),
    labels=st.tuples(*[st.sampled_from(["1d", '","age_seconds":0.0,"stale":false', "\\", "ü"])] * 2),
    features=st.dictionaries(st.sampled_from(["age_seconds", "stale", '"']), st.booleans(), max_size=2),
    include_features=st.booleans(),
)
def test_what_is_put_together_is_what_the_encoder_writes(
    age_us: int, labels: tuple[str, str], features: dict[str, bool], *, include_features: bool
) -> None:
    shown = document(horizon=labels[0], model_version=labels[1], features=features)
    written = Shown(shown, include_features=include_features).body(
        now_us=epoch_micros(MADE) + age_us, stale_after_s=STALE_AFTER_S
    )
    assert written == msgspec.json.encode(msgspec.json.decode(written, type=answers.PredictionAnswer))
    read = msgspec.json.decode(written)
    assert read["age_seconds"] == round(max(0, age_us) / 1e6, 3)
    assert read["stale"] is (max(0, age_us) / 1e6 > STALE_AFTER_S)
    assert read.get("features") == (features if include_features else None)
