"""The admin that staff run the gateway with, a module a subject. Importing it registers everything.

Who may do what stands in `rights`; what is changed goes through `accounts.actions` or leaves its audit event
through `audited`.
"""

import django_stubs_ext

# Until then the classes of forms and of the admin take no type in brackets. Not in the settings: half of what
# it loads is of no use to processes that serve no page.
django_stubs_ext.monkeypatch()

from accounts.admin import customers, keys, limits, logins, records, users

__all__ = ["customers", "keys", "limits", "logins", "records", "users"]
