"""Who may act: a token that is asked for once, a signed cookie that remembers who gave it, and a token in each form.

Nothing is kept on the server: the cookie says who it is and until when, under a signature made with a key that follows
from the token. A form carries another signature of the same cookie, which another site cannot know.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode

import attrs
import msgspec

COOKIE = "statemachine"
HOURS = 12
SHORTEST = 16
"""Characters of a token."""


class Session(msgspec.Struct, frozen=True):
    """A visitor who has given the token. `until` is in seconds since 1970."""

    actor: str
    until: float
    nonce: str


def new_token() -> str:
    """A token nobody guesses."""
    return secrets.token_urlsafe(24)


def nonce() -> str:
    """An id nobody has used."""
    return secrets.token_urlsafe(12)


@attrs.frozen
class Sessions:
    """Makes and reads cookies. Whoever knows the token can make them, too."""

    token: str = attrs.field(repr=False)
    _key: bytes = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_key", hashlib.sha256(b"statemachine dashboard " + self.token.encode()).digest())

    def knows(self, token: str) -> bool:
        """Whether that is the token; takes as long for one that nearly is."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def begin(self, actor: str) -> str:
        """A cookie's value."""
        body = msgspec.json.encode(Session(actor, time.time() + HOURS * 3600, nonce()))
        return f"{urlsafe_b64encode(body).decode()}.{self._signed('session', body)}"

    def read(self, cookie: str) -> Session | None:
        """Whose cookie it is, if it is one of ours and not too old."""
        body, _, signature = cookie.partition(".")
        try:
            raw = urlsafe_b64decode(body.encode("ascii"))
            if not hmac.compare_digest(signature.encode(), self._signed("session", raw).encode()):
                return None
            session = msgspec.json.decode(raw, type=Session)
        except (ValueError, msgspec.MsgspecError):
            return None
        return session if session.until > time.time() else None

    def form_token(self, session: Session) -> str:
        """What a form of this session carries."""
        return self._signed("form", session.nonce.encode() + session.actor.encode())

    def from_our_form(self, session: Session, given: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(given.encode(), self.form_token(session).encode())

    def _signed(self, purpose: str, body: bytes) -> str:
        return hmac.new(self._key, purpose.encode() + b":" + body, "sha256").hexdigest()
