"""Channel adapters: one file per kind of provider, chosen by the `provider` that `channels.yaml` names."""

from __future__ import annotations

from collections.abc import Mapping

from actors.delivery.channels.adapter import Adapter
from actors.delivery.channels.sandbox import SandboxAdapter
from actors.delivery.channels.smtp import SmtpAdapter
from engine.catalog.compiled import Channel

__all__ = ["Adapter", "open_adapters"]


def open_adapters(channels: Mapping[str, Channel], environ: Mapping[str, str]) -> dict[str, Adapter]:
    """An adapter for every channel that something is sent on. Credentials are looked up in `environ`, by name."""
    adapters: dict[str, Adapter] = {}
    for channel in channels.values():
        if channel.provider == "smtp":
            adapters[channel.id] = SmtpAdapter(channel.settings, environ)
        elif channel.provider == "sandbox":
            adapters[channel.id] = SandboxAdapter()
    return adapters
