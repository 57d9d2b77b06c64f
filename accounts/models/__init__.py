"""The rows behind the accounts app, by subject: who, how much, with what, and what was done."""

from accounts.models.keys import ApiKey, default_scopes
from accounts.models.people import Account, User
from accounts.models.records import AccessChange, AuditEvent, AuthenticationFailure, UsageHour
from accounts.models.sessions import RefreshToken, TokenFamily
from accounts.models.tiers import Limit, Tier

__all__ = [
    "AccessChange",
    "Account",
    "ApiKey",
    "AuditEvent",
    "AuthenticationFailure",
    "Limit",
    "RefreshToken",
    "Tier",
    "TokenFamily",
    "UsageHour",
    "User",
    "default_scopes",
]
