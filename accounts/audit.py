"""Writing the audit: who did what to which key, tier or user. Call it in the transaction of the change."""

from __future__ import annotations

from typing import Any

from accounts.models import AuditEvent
from observability import request_context


def record(
    *, actor: str, action: str, kind: str, subject_id: object, subject: str, **detail: Any
) -> AuditEvent:
    """Append an event; address and request id come from the request being served.

    `actor` is ``user NAME``, ``key PUBLIC_ID`` or ``command NAME``; `action` is ``kind.verb``, for instance
    ``key.revoke``. `detail` must be JSON and must hold no secret.
    """
    return AuditEvent.objects.create(
        actor=actor[:200],
        action=action,
        kind=kind,
        subject_id=str(subject_id),
        subject=subject[:200],
        detail=detail,
        address=request_context.address(),
        request_id=request_context.current(),
    )
