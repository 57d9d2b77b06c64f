"""The forms of keys: what a new key is, what may change of one, and how long a replaced one lives on."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts import networks
from accounts.actions import OVERLAPS
from accounts.admin.look import widgets
from accounts.models import ApiKey, default_scopes
from accounts.roles import SCOPES

_OVERLAP_NAMES = {"0": "none: it ends at once", "1h": "1 hour", "24h": "24 hours", "7d": "7 days"}


class NetworksField(forms.CharField):
    """Networks in CIDR form, one a line; a list in Python."""

    widget = widgets.UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """Lines for the text area."""
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """The networks in their normal form."""
        text = super().to_python(value) or ""
        try:
            return networks.check_networks(line for line in text.splitlines() if line.strip())
        except networks.MalformedNetwork as malformed:
            raise ValidationError(str(malformed)) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """As text."""
        return super().has_changed(self.prepare_value(initial), data)


class KeyForm(forms.ModelForm[ApiKey]):
    """A key; `grantable` are the scopes that the member of staff may give, set by the admin."""

    grantable: frozenset[str] = frozenset()

    scopes = forms.MultipleChoiceField(
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget,
        initial=default_scopes,
        help_text="What the key may do.",
        error_messages={"required": "A key without a scope can do nothing: choose one or more."},
    )
    networks = NetworksField(
        required=False,
        help_text="Where it may be used from: one network a line, such as 203.0.113.0/24 or 2001:db8::/32. "
        "Empty: from anywhere.",
    )
    expires_at = forms.SplitDateTimeField(
        widget=widgets.UnfoldAdminSplitDateTimeWidget,
        required=False,
        help_text="In UTC. Empty: it does not expire.",
    )

    class Meta:
        model = ApiKey
        fields = ("account", "tier", "name", "environment", "scopes", "networks", "expires_at")
        help_texts = {
            "name": "What it is for: a program, a server, a team.",
            "tier": "Its limits. It may differ from the account's.",
            "environment": "Only tells people and scanners apart what the key is used for.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["scopes"]
        if isinstance(field, forms.MultipleChoiceField):
            field.choices = [
                (scope, f"{scope} ({told})") for scope, told in SCOPES.items() if scope in self.grantable
            ]

    def clean_scopes(self) -> list[str]:
        """Sorted, as they are stored."""
        return sorted(self.cleaned_data["scopes"])

    def clean_expires_at(self) -> Any:
        """A new end lies ahead."""
        end = self.cleaned_data["expires_at"]
        if end is not None and end != self.instance.expires_at and end <= timezone.now():
            raise ValidationError("That has passed. To end a key now, revoke it.")
        return end


class RotationForm(forms.Form):
    """How long the old key works beside the new one."""

    overlap = forms.ChoiceField(
        label="The old key lives on for",
        choices=[(name, _OVERLAP_NAMES.get(name, name)) for name in OVERLAPS],
        initial="24h",
        widget=widgets.UnfoldAdminRadioSelectWidget(),
        help_text="Its answers carry a warning header meanwhile. Both draw on one quota.",
    )
