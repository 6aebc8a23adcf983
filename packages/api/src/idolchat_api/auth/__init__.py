"""Who is calling, and what they may touch: contracts for schemes, and the schemes that come with the server."""

from idolchat_api.auth.authenticator import Authenticator
from idolchat_api.auth.principal import Principal, Scope
from idolchat_api.errors import AuthUnavailable, Forbidden, TokenExpired, Unauthenticated

__all__ = ["AuthUnavailable", "Authenticator", "Forbidden", "Principal", "Scope", "TokenExpired", "Unauthenticated"]
