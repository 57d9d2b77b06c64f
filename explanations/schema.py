"""What `manage.py openapi` tells of the routes of explanations; importing this decorates their views."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view

from accounts.schema_parts import (
    ANY_HEADER,
    IF_NONE_MATCH,
    LOCATION,
    UNCHANGED,
    Schema,
    asked,
    codes,
    header,
    in_path,
    in_query,
)
from events.explanations import DEPTHS
from explanations.answers import JobAccepted, JobDone, JobPending
from explanations.documents import ExplanationDocument
from explanations.serializers import OrderBody
from explanations.views import ExplanationJobViewSet, ExplanationViewSet
from predictions.schema import IN_PATH

_TAGS = ["Explanations"]
_JOB_ID = in_path(
    "job_id",
    "The `job_id` of the order.",
    {"type": "string", "format": "uuid", "examples": ["8e03978e-40d5-43dd-bc93-6894a57f9324"]},
)
_RETRY_AFTER: Schema = {"type": "integer", "minimum": 1, "maximum": 10}
_REPLAYED = header(
    "Idempotency-Replayed",
    "There was an order with this key before; this is its job.",
    {"type": "string", "enum": ["true"]},
    200,
    202,
    required=False,
)
_APPLIED = header(
    "Preference-Applied",
    "How long the answer was held back at most.",
    {"type": "string", "maxLength": 16, "pattern": "^wait=[0-9]{1,2}$"},
    200,
    202,
    required=False,
)

extend_schema_view(
    retrieve=extend_schema(
        operation_id="getExplanation",
        tags=_TAGS,
        summary="Read the newest explanation of a symbol",
        description="That of the newest prediction that has one. Contributions sum to the predicted move in "
        "log return, and every statement cites its sources.",
        parameters=[
            IN_PATH,
            in_query("depth", "Of this depth alone.", {"type": "string", "enum": list(DEPTHS)}),
            IF_NONE_MATCH,
        ],
        responses={200: OpenApiResponse(ExplanationDocument, "The newest explanation."), 304: UNCHANGED},
        extensions=codes("INVALID_SYMBOL", "UNKNOWN_EXPLANATION", "STORE_UNAVAILABLE"),
    ),
    create=extend_schema(
        operation_id="orderExplanation",
        tags=_TAGS,
        summary="Order an explanation of the newest prediction of a symbol",
        description="Whoever orders the same shares one computation, and gets a job of their own. With "
        "`Prefer: wait=n` the answer is held back until the job has ended, n seconds (up to 30) at most; "
        "then it is that of `getExplanationJob`.",
        parameters=[
            IN_PATH,
            asked(
                "Idempotency-Key",
                "Yours, for a day: an order that is repeated with it gets the job of the first one.",
                {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 512,
                    "pattern": r"""^([!#-~]([ -~]{0,253}[!-~])?|"([ !#-\[\]-~]|\\["\\]){1,255}")$""",
                    "examples": ["8e03978e-40d5-43dd-bc93-6894a57f9324"],
                },
            ),
            asked(
                "Prefer",
                "RFC 7240; preferences that are not known are ignored.",
                {**ANY_HEADER, "examples": ["wait=2"]},
            ),
            header("Location", "Where the job is asked after.", LOCATION, 202),
            _REPLAYED,
            _APPLIED,
        ],
        request=OrderBody,
        responses={
            200: OpenApiResponse(JobDone, "With `Prefer: wait`: the job is done, with its explanation."),
            202: OpenApiResponse(JobAccepted, "Ordered."),
        },
        examples=[OpenApiExample("in depth", value={"depth": "deep"}, request_only=True)],
        extensions=codes(
            "INVALID_SYMBOL",
            "INVALID_IDEMPOTENCY_KEY",
            "UNKNOWN_SYMBOL",
            "JOB_CANCELLED",
            "IDEMPOTENCY_KEY_REUSED",
            "TOO_MANY_JOBS",
            "EXPLANATION_FAILED",
            "STORE_UNAVAILABLE",
        ),
    ),
)(ExplanationViewSet)

extend_schema_view(
    retrieve=extend_schema(
        operation_id="getExplanationJob",
        tags=_TAGS,
        summary="See how a job stands",
        description="Of the caller's account; a job of another one is unknown.",
        parameters=[
            _JOB_ID,
            IF_NONE_MATCH,
            header("Retry-After", "Seconds after which to ask again.", _RETRY_AFTER, 202),
        ],
        responses={
            200: OpenApiResponse(JobDone, "Done, with its explanation."),
            202: OpenApiResponse(JobPending, "Not done yet."),
            304: UNCHANGED,
        },
        extensions=codes("UNKNOWN_JOB", "JOB_CANCELLED", "EXPLANATION_FAILED", "STORE_UNAVAILABLE"),
    ),
    destroy=extend_schema(
        operation_id="cancelExplanationJob",
        tags=_TAGS,
        summary="Cancel a job",
        description="Also one that was cancelled before. What others have ordered goes on.",
        parameters=[_JOB_ID],
        request=None,
        responses={204: OpenApiResponse(description="Cancelled.")},
        extensions=codes("UNKNOWN_JOB", "JOB_FINISHED", "STORE_UNAVAILABLE"),
    ),
)(ExplanationJobViewSet)
