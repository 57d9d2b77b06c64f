"""The bodies of login, refresh and logout."""

from __future__ import annotations

from accounts.bodies import ExactBooleanField, ExactCharField, StrictBody


class LoginBody(StrictBody):
    """User name and password."""

    username = ExactCharField(max_length=150)
    password = ExactCharField()


class RefreshBody(StrictBody):
    """The refresh token to exchange."""

    refresh_token = ExactCharField()


class LogoutBody(StrictBody):
    """The refresh token of the login to end, unless an access token says which; and whether to end all."""

    refresh_token = ExactCharField(required=False)
    everywhere = ExactBooleanField(default=False)
