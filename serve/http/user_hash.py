"""The proof of a user id, given by the shop's own server to a page, which itself holds nothing but a public key.

The hash is hex HMAC-SHA256 of the user id under a secret that only the shop's server and the engine know. The user id
is hashed as the engine keeps it: in NFC, without spaces around it or invisible characters. The hash proves the user,
and nothing about a mailbox.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from engine.errors import Unauthorised
from engine.values.absence import is_absent

FIELD = "userHash"


@dataclass(frozen=True, slots=True)
class Proof:
    """The proof that a source asks for each user id. `secret` is empty where none was made."""

    secret: str = ""
    is_required: bool = False

    def check(self, user_id: str, told: object) -> None:
        """Unauthorised where a user is named without the hash that is required, or with one that is wrong."""
        if is_absent(told):
            if self.is_required:
                raise Unauthorised("this source proves each userId by its hash", FIELD)
            return
        if not self.secret:
            if self.is_required:
                raise Unauthorised("no secret was made for this source: segue keys user-secret", FIELD)
            return
        wanted = hash_of(self.secret, user_id)
        if not isinstance(told, str) or not hmac.compare_digest(wanted.encode(), told.strip().lower().encode()):
            raise Unauthorised("is not the hash of this userId", FIELD)


def hash_of(secret: str, user_id: str) -> str:
    """The hash that a shop's server gives to its page for a user."""
    return hmac.new(secret.encode(), user_id.encode(), "sha256").hexdigest()
