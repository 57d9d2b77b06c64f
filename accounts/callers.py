"""Who is calling, and with which rights: a key, a person who is logged in, or nobody we know."""

from __future__ import annotations

import uuid
from datetime import datetime

import msgspec

ANONYMOUS_TIER = "anonymous"
SHARED_TIER = "dashboard"
"""That of the key which everybody sees who opens the dashboard."""


class Caller(msgspec.Struct, frozen=True):
    """A caller whose credential was good, or `ANONYMOUS`."""

    tier: str
    scopes: frozenset[str]
    account_id: int | None = None
    key_id: uuid.UUID | None = None
    lineage: str | None = None
    user_id: int | None = None
    family_id: uuid.UUID | None = None
    role: str | None = None
    name: str = "anonymous"
    expires_at: datetime | None = None
    # The end of a key that has been rotated to a new one.
    replaced_until: datetime | None = None

    # What Django and DRF ask of a `request.user`.
    is_active = True

    @property
    def is_authenticated(self) -> bool:
        """True for a caller that showed a good credential."""
        return self.account_id is not None

    @property
    def is_shared(self) -> bool:
        """True for a key that many people call with who do not know each other."""
        return self.key_id is not None and self.tier == SHARED_TIER


ANONYMOUS = Caller(tier=ANONYMOUS_TIER, scopes=frozenset({"predictions:read"}))
