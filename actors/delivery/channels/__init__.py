"""Channel adapters: one file for each kind of provider, chosen by the `provider` that `channels.yaml` names.

`CONTRIBUTING.md` has the steps of a new one. `adapter.py` says what an adapter promises; `sandbox.py` is the smallest
one, `smtp.py` one with a real dialogue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from actors.delivery.channels.adapter import Adapter
from actors.delivery.channels.sandbox import SandboxAdapter
from actors.delivery.channels.smtp import SmtpAdapter
from actors.delivery.channels.webhook import WebhookAdapter
from engine.catalog.compiled import Channel

__all__ = ["ADAPTERS", "Adapter", "open_adapters"]

# By provider: makes an adapter of a channel's settings and the environment, whose variables they may name. The provider
# `none`, for channels that decisions ask for and nothing is sent on, has no adapter.
ADAPTERS: Final[dict[str, Callable[[Mapping[str, Any], Mapping[str, str]], Adapter]]] = {
    "sandbox": lambda settings, environ: SandboxAdapter(),
    "smtp": SmtpAdapter,
    "webhook": WebhookAdapter,
}


def open_adapters(channels: Mapping[str, Channel], environ: Mapping[str, str]) -> dict[str, Adapter]:
    """An adapter for every channel that can send, by channel. UsageError names a setting that cannot be used.
    Credentials are looked up in `environ`, by the names that the settings give."""
    return {
        channel.id: ADAPTERS[channel.provider](channel.settings, environ)
        for channel in channels.values()
        if channel.provider in ADAPTERS
    }
