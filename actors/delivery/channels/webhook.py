"""Calls of other systems over HTTP, with the headers of Standard Webhooks (https://www.standardwebhooks.com).

The id of a call is the same for each try, so a system that keeps ids takes it once. What answers 429 or 5xx is asked
again, as is what cannot be reached; where nothing is answered in time, the call may have been taken.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import httpx

from actors.delivery.channels.adapter import Message
from engine.errors import Refused, Unavailable, Unknown
from engine.vocabulary import Accepted

_TIMEOUT_S: Final = 20.0
_LATER: Final = frozenset((408, 425, 429))
_PREFIX: Final = "whsec_"


class WebhookAdapter:
    """Calls whatever a message names; `environ` holds the variables that it names."""

    places = 16
    accepted: Accepted = "sent"

    def __init__(self, settings: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._client: httpx.AsyncClient | None = None

    async def send(self, message: Message) -> str:
        """See `Adapter.send`; the reference is the status of the answer."""
        url, headers = self._url(message), self._headers(message)
        if self._client is None:
            self._client = httpx.AsyncClient(follow_redirects=False, trust_env=False)
        within_s = min(_TIMEOUT_S, message.deadline_s)
        try:
            call = self._client.build_request(
                message.call["method"], url, content=message.text.encode(), headers=headers, timeout=within_s
            )
            async with asyncio.timeout(within_s):
                answer = await self._client.send(call, stream=True)
            status = answer.status_code
            await answer.aclose()  # what it says beside its status is nothing to us, however long it is
        except TimeoutError:
            raise Unknown("no answer in time") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError) as fault:
            raise Refused(f"cannot be called: {type(fault).__name__}") from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as fault:
            raise Unavailable(f"cannot be reached: {type(fault).__name__}") from None
        except httpx.HTTPError as fault:
            raise Unknown(f"no answer: {type(fault).__name__}") from None
        return _reference(status)

    def prove(self, message: Message) -> None:
        """A body that could be rendered is all that there is to prove."""

    async def close(self) -> None:
        """See `Adapter.close`."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _url(self, message: Message) -> str:
        return message.address or self._variable(message.call["url_env"])

    def _headers(self, message: Message) -> dict[str, str]:
        sent_s = str(message.at_ms // 1000)
        headers = {"content-type": "application/json", **{name.lower(): said for name, said in message.headers.items()}}
        headers |= {name.lower(): self._variable(variable) for name, variable in message.call["headers_env"].items()}
        headers |= {"webhook-id": message.idempotency_key, "webhook-timestamp": sent_s}
        if message.call["secret_env"]:
            secret = self._variable(message.call["secret_env"])
            headers["webhook-signature"] = signature(secret, message.idempotency_key, sent_s, message.text)
        return headers

    def _variable(self, name: str) -> str:
        value = self._environ.get(name)
        if not value:
            raise Unavailable(f"the variable {name} is not set")
        return value


def signature(secret: str, call_id: str, sent_s: str, body: str) -> str:
    """`v1,` and the signature of a call. A secret that begins with `whsec_` is base64, every other one plain text."""
    key = secret.encode()
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except (ValueError, binascii.Error):
            raise Unavailable("the secret of the call is no base64 behind whsec_") from None
    signed = hmac.digest(key, f"{call_id}.{sent_s}.{body}".encode(), sha256)
    return f"v1,{base64.b64encode(signed).decode()}"


def _reference(status: int) -> str:
    if 200 <= status < 300:
        return f"http:{status}"
    if status in _LATER or status >= 500:
        raise Unavailable(f"answers {status}")
    raise Refused(f"answers {status}")
