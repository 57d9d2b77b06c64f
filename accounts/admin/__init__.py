"""The admin that staff run the gateway with, a module a subject. Importing it registers everything.

Who may do what stands in `rights`; what is changed goes through `accounts.actions` or leaves its audit event
through `audited`.
"""

from accounts.admin import customers, keys, limits, logins, records, users

__all__ = ["customers", "keys", "limits", "logins", "records", "users"]
