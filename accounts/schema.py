"""What `manage.py openapi` tells of the routes of people and keys; importing this decorates their views."""

from __future__ import annotations

from typing import Annotated

import msgspec
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_view

from accounts import key_views, login_views
from accounts.key_answers import (
    KeyAnswer,
    KeyPageAnswer,
    NewKeyAnswer,
    ProfileAnswer,
    PublicId,
    RotatedKeyAnswer,
)
from accounts.key_serializers import ChangeBody, EmptyBody, RegisterBody, RotateBody
from accounts.login_serializers import LoginBody, LogoutBody, RefreshBody
from accounts.schema_parts import LOCATION, Schema, codes, header, in_path, in_query, page_size
from accounts.tickets import LIFETIME_S
from accounts.tokens import LONGEST_TOKEN

_LOGIN, _KEYS, _SOCKET = ["Login"], ["Keys"], ["WebSocket"]
_PUBLIC_ID: Schema = {**msgspec.json.schema(PublicId), "examples": ["0fRf8LNxqQmUgjEVQ0qZ2k"]}
_CREATED_AT = header("Location", "Where the new key is shown, without its secret.", LOCATION, 201)
_DONE = OpenApiResponse(description="Done; there is nothing to show.")

_Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class TokenPairAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An access token for the calls, and the refresh token that gets the next pair, once."""

    access_token: Annotated[
        str,
        msgspec.Meta(min_length=1, max_length=LONGEST_TOKEN, pattern=r"^[\w-]+\.[\w-]+\.[\w-]+$"),
    ]
    token_type: Annotated[str, msgspec.Meta(extra_json_schema={"const": "Bearer", "maxLength": 6})]
    expires_in: _Seconds
    refresh_token: Annotated[str, msgspec.Meta(max_length=48, pattern=r"^pgwr_[\w-]{43}$")]
    refresh_expires_in: _Seconds


class TicketAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket that opens one WebSocket."""

    ticket: Annotated[str, msgspec.Meta(max_length=48, pattern=r"^pgwt_[\w-]{43}$")]
    expires_in: Annotated[int, msgspec.Meta(ge=1, le=LIFETIME_S)]


extend_schema_view(
    post=extend_schema(
        operation_id="login",
        tags=_LOGIN,
        summary="Log in",
        description="User name and password for a pair of tokens. The access token goes into "
        "`Authorization: Bearer`; the refresh token gets the next pair before it ends.",
        request=LoginBody,
        responses={200: OpenApiResponse(TokenPairAnswer, "The pair.")},
        examples=[
            OpenApiExample(
                "a person",
                value={"username": "ada", "password": "correct horse battery staple"},
                request_only=True,
            )
        ],
        extensions=codes("LOGIN_FAILED", "TOO_MANY_ATTEMPTS", "STORE_UNAVAILABLE"),
    )
)(login_views.LoginView)

extend_schema_view(
    post=extend_schema(
        operation_id="refreshLogin",
        tags=_LOGIN,
        summary="Get the next pair of tokens",
        description="Each refresh token is good for one use. Who uses one again ends that login.",
        request=RefreshBody,
        responses={200: OpenApiResponse(TokenPairAnswer, "The next pair.")},
        extensions=codes("INVALID_TOKEN", "TOO_MANY_ATTEMPTS", "STORE_UNAVAILABLE"),
    )
)(login_views.RefreshView)

extend_schema_view(
    post=extend_schema(
        operation_id="logout",
        tags=_LOGIN,
        summary="Log out",
        description="Ends the login of the refresh token in the body, or else of the access token in "
        "`Authorization`; with `everywhere` all logins of its user.",
        request=LogoutBody,
        responses={204: _DONE},
        extensions=codes("INVALID_TOKEN", "TOO_MANY_ATTEMPTS", "STORE_UNAVAILABLE"),
    )
)(login_views.LogoutView)

extend_schema_view(
    post=extend_schema(
        operation_id="registerKey",
        tags=_KEYS,
        summary="Make a key",
        description="The answer is the only one that holds the secret. The new key has no scope that its "
        "maker does not have. Where the gateway is open to strangers, it opens an account for them.",
        parameters=[_CREATED_AT],
        request=RegisterBody,
        responses={201: OpenApiResponse(NewKeyAnswer, "The key, with its secret.")},
        examples=[
            OpenApiExample(
                "a key for reading",
                value={
                    "name": "dashboard",
                    "scopes": ["predictions:read"],
                    "networks": ["203.0.113.0/24"],
                    "expires_at": "2036-03-01T00:00:00Z",
                },
                request_only=True,
            )
        ],
        extensions=codes(
            "SCOPE_MISSING", "FORBIDDEN", "TOO_MANY_KEYS", "TOO_MANY_ATTEMPTS", "STORE_UNAVAILABLE"
        ),
    )
)(key_views.RegisterView)

extend_schema_view(
    get=extend_schema(
        operation_id="getProfile",
        tags=_KEYS,
        summary="See who is calling, with which limits and what usage",
        description="The account that is charged, tier, scopes, every limit with what is left of it, and the "
        "usage of the last days by day and route.",
        parameters=[
            in_query(
                "days",
                "How many days of usage, today among them.",
                {"type": "integer", "minimum": 1, "maximum": 90, "default": 7},
            )
        ],
        responses={200: OpenApiResponse(ProfileAnswer, "The profile.")},
    )
)(key_views.ProfileView)

extend_schema_view(
    get=extend_schema(
        operation_id="listKeys",
        tags=_KEYS,
        summary="List keys",
        description="With the scope `keys:write` all keys of the account; else a person those they made, and "
        "a key itself. Newest first, a page at a time.",
        parameters=[
            page_size("keys", 100, 50),
            in_query("cursor", "The `next` of the page before.", _PUBLIC_ID),
        ],
        responses={200: OpenApiResponse(KeyPageAnswer, "A page.")},
    )
)(key_views.KeysView)

_ID_IN_PATH = in_path("public_id", "The `id` of a key, which is no secret.", _PUBLIC_ID)

extend_schema_view(
    get=extend_schema(
        operation_id="getKey",
        tags=_KEYS,
        summary="See a key",
        description="All but its secret, which nobody has any more.",
        parameters=[_ID_IN_PATH],
        responses={200: OpenApiResponse(KeyAnswer, "The key.")},
        extensions=codes("UNKNOWN_KEY"),
    ),
    patch=extend_schema(
        operation_id="changeKey",
        tags=_KEYS,
        summary="Change a key",
        description="What is not named stays. What a key may do grows only by the hand of someone who may "
        "manage keys and has those scopes.",
        parameters=[_ID_IN_PATH],
        request=ChangeBody,
        responses={200: OpenApiResponse(KeyAnswer, "The key as it is now.")},
        extensions=codes("SCOPE_MISSING", "UNKNOWN_KEY", "KEY_NOT_USABLE", "KEY_ALREADY_ROTATED"),
    ),
)(key_views.KeyView)

extend_schema_view(
    post=extend_schema(
        operation_id="rotateKey",
        tags=_KEYS,
        summary="Put a new key in the place of one",
        description="Same account, tier, scopes and networks; the old one lives on for `overlap` (24h unless "
        "named), and its answers carry a warning. Both draw on one quota. Without `key`: the calling key.",
        parameters=[_CREATED_AT],
        request=RotateBody,
        responses={201: OpenApiResponse(RotatedKeyAnswer, "The new key, with its secret.")},
        extensions=codes(
            "SCOPE_MISSING", "UNKNOWN_KEY", "KEY_NOT_USABLE", "KEY_ALREADY_ROTATED", "TOO_MANY_KEYS"
        ),
    )
)(key_views.RotateView)

extend_schema_view(
    delete=extend_schema(
        operation_id="revokeKey",
        tags=_KEYS,
        summary="End a key for good",
        description="Every process refuses it within a second and closes its sockets. A key that was revoked "
        "before stays so. Without `key`: the calling key.",
        parameters=[in_query("key", "The `id` of the key.", _PUBLIC_ID)],
        request=None,
        responses={204: _DONE},
        extensions=codes("UNKNOWN_KEY", "INVALID_BODY"),
    )
)(key_views.RevokeView)

extend_schema_view(
    post=extend_schema(
        operation_id="issueSocketTicket",
        tags=_SOCKET,
        summary="Get a ticket for a WebSocket",
        description=f"For browsers, which can send no headers with a handshake: "
        f"`/ws/predictions?token=`, within {LIFETIME_S} seconds, once.",
        request=EmptyBody,
        responses={201: OpenApiResponse(TicketAnswer, "The ticket.")},
        extensions=codes("STORE_UNAVAILABLE"),
    )
)(key_views.TicketView)
