"""Channel adapters: one file for each kind of provider, chosen by the `provider` that `channels.yaml` names.

To add a provider:

1. Write its adapter in a file of its own here. `adapter.py` says what an adapter promises; `sandbox.py` is the smallest
   one, `smtp.py` one with a real dialogue. A message that may have been sent is never reported as `Unavailable`.
2. Name it in `ADAPTERS` below.
3. Describe it in `engine/catalog/schema/channels.py`: its name in `Provider`, a model of its settings in `Channel`, and
   the model of a message's content in `CONTENT`. An adapter reads no setting that is not declared there.
4. Test it in `tests/actors/delivery`, against a server that answers as the real one does, its refusals and its silence
   included.

`tests/actors/delivery/test_providers.py` fails where one of these places was forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from actors.delivery.channels.adapter import Adapter
from actors.delivery.channels.sandbox import SandboxAdapter
from actors.delivery.channels.smtp import SmtpAdapter
from engine.catalog.compiled import Channel

__all__ = ["ADAPTERS", "Adapter", "open_adapters"]

# By provider: makes an adapter of a channel's settings and the environment, whose variables they may name. The provider
# `none`, for channels that decisions ask for and nothing is sent on, has no adapter.
ADAPTERS: Final[dict[str, Callable[[Mapping[str, Any], Mapping[str, str]], Adapter]]] = {
    "sandbox": lambda settings, environ: SandboxAdapter(),
    "smtp": SmtpAdapter,
}


def open_adapters(channels: Mapping[str, Channel], environ: Mapping[str, str]) -> dict[str, Adapter]:
    """An adapter for every channel that can send, by channel. UsageError names a setting that cannot be used.
    Credentials are looked up in `environ`, by the names that the settings give."""
    return {
        channel.id: ADAPTERS[channel.provider](channel.settings, environ)
        for channel in channels.values()
        if channel.provider in ADAPTERS
    }
