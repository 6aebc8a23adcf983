"""Authentication and access: the contract of a scheme, the built-in schemes, and what a caller may do."""

from idolchat_api.auth.authenticator import Authenticator
from idolchat_api.auth.principal import Principal, Scope
from idolchat_api.auth.sign_in import SignIn
from idolchat_api.errors import AuthUnavailable, Forbidden, TokenExpired, Unauthenticated

__all__ = [
    "AuthUnavailable",
    "Authenticator",
    "Forbidden",
    "Principal",
    "Scope",
    "SignIn",
    "TokenExpired",
    "Unauthenticated",
]
