"""Routes of people and keys, below ``/auth/``."""

from django.urls import path

from accounts.key_views import (
    KeysView,
    KeyView,
    ProfileView,
    RegisterView,
    RevokeView,
    RotateView,
    TicketView,
)
from accounts.login_views import LoginView, LogoutView, RefreshView

urlpatterns = [
    path("login", LoginView.as_view(), name="auth-login"),
    path("refresh", RefreshView.as_view(), name="auth-refresh"),
    path("logout", LogoutView.as_view(), name="auth-logout"),
    path("register", RegisterView.as_view(), name="auth-register"),
    path("profile", ProfileView.as_view(), name="auth-profile"),
    path("keys", KeysView.as_view(), name="auth-keys"),
    path("keys/<str:public_id>", KeyView.as_view(), name="auth-key"),
    path("rotate-key", RotateView.as_view(), name="auth-rotate-key"),
    path("revoke", RevokeView.as_view(), name="auth-revoke"),
    path("ws-ticket", TicketView.as_view(), name="auth-ws-ticket"),
]
