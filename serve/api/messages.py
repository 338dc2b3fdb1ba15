"""The model of one message as it is read."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from serve.api.types import AT, PROFILE, VERSION, Answer, Time


class Said(Answer):
    """A message as it was handed over, rendered anew from the journal and the catalog of then. Where that cannot be,
    the texts are null and `missing` says why. Its links do not work."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "profileId": PROFILE,
                    "sendId": "5eed",
                    "at": AT,
                    "channel": "email",
                    "journey": "receipt",
                    "action": "order_receipt",
                    "catalogVersion": VERSION,
                    "outcome": "sent",
                    "reason": "",
                    "address": "ada@shop.example",
                    "subject": "Your order 7",
                    "text": "Thank you, Ada",
                    "html": "<h1>Thank you, Ada</h1>",
                    "from": "rendered",
                    "missing": "",
                }
            ]
        },
    )

    profileId: str
    sendId: str
    at: Time | None = Field(description="When it was handed over")
    channel: str
    journey: str
    action: str
    catalogVersion: str | None
    outcome: str = Field(description="What became of it, as in the timeline")
    reason: str
    address: str | None = Field(description="Where it went")
    subject: str | None
    text: str | None
    html: str | None = Field(description="Of an e-mail; empty where it had none")
    origin: Literal["rendered"] | None = Field(alias="from", description="`rendered`: anew, now; nothing is stored")
    missing: str
