"""Every error that a client can meet has a stable code, a status that fits, and advice."""

from __future__ import annotations

import dataclasses
import re
from http import HTTPStatus

import pytest
from rest_framework import exceptions

from gateway_project.problem_types import PROBLEM_TYPES, ProblemType
from predictions import views

EVERY = pytest.mark.parametrize(("code", "kind"), PROBLEM_TYPES.items(), ids=PROBLEM_TYPES)


@EVERY
def test_a_code_is_upper_case_and_fits_into_the_path_of_its_page(code: str, kind: ProblemType) -> None:
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", code)


@EVERY
def test_a_status_is_a_known_client_or_server_error(code: str, kind: ProblemType) -> None:
    assert 400 <= HTTPStatus(kind.status) < 600


@EVERY
def test_a_title_is_a_short_phrase(code: str, kind: ProblemType) -> None:
    assert re.fullmatch(r"[A-Z][^.\n]{3,39}", kind.title)


@EVERY
def test_advice_is_a_sentence(code: str, kind: ProblemType) -> None:
    assert re.fullmatch(r"[A-Z][^\n]{10,}\.", kind.advice)


def test_no_two_kinds_share_a_title_or_advice() -> None:
    assert len({kind.title for kind in PROBLEM_TYPES.values()}) == len(PROBLEM_TYPES)
    assert len({kind.advice for kind in PROBLEM_TYPES.values()}) == len(PROBLEM_TYPES)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 413, 415, 500, 503])
def test_every_status_of_the_contract_has_a_kind(status: int) -> None:
    assert status in {kind.status for kind in PROBLEM_TYPES.values()}


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ParseError,
        exceptions.NotAuthenticated,
        exceptions.NotFound,
        exceptions.MethodNotAllowed,
        exceptions.NotAcceptable,
        exceptions.UnsupportedMediaType,
        views.InvalidSymbol,
        views.InvalidSymbols,
        views.UnknownSymbol,
        views.StoreUnavailable,
    ],
)
def test_an_exception_of_a_view_has_its_own_kind_with_its_status(
    error: type[exceptions.APIException],
) -> None:
    assert PROBLEM_TYPES[error.default_code.upper()].status == error.status_code


def test_a_kind_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PROBLEM_TYPES["NOT_FOUND"].status = 200  # type: ignore[misc]
