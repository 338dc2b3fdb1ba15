"""Finds what keeps a `send` step from ever sending: an action without any of its channels, a channel that is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.catalog.document import channels_of
from engine.catalog.problems import Loc
from engine.catalog.schema.of_steps.sending import Send


def actions_in(send: Send) -> Iterator[tuple[Loc, str]]:
    """The actions of a step, each with its place in it."""
    if send.action is not None:
        yield ("action",), send.action
    for i, action in enumerate((send.choose and send.choose.actions) or ()):
        yield ("choose", "actions", i), action


def channels_in(send: Send) -> Iterator[tuple[Loc, str]]:
    """The channels of a step, each with its place in it."""
    if send.channel is not None:
        yield ("channel",), send.channel
    for i, channel in enumerate(send.channels or ()):
        yield ("channels", i), channel
    for i, channel in enumerate((send.choose and send.choose.channels) or ()):
        yield ("choose", "channels", i), channel


def sending_faults(
    send: Send, actions: Mapping[str, Mapping[str, Any]], channels: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[Loc, str]]:
    """(place in the step, what is wrong with it)."""
    known = {name: channels_of(actions[name]) for name in send.candidates if name in actions}
    are_known = len(known) == len(send.candidates)
    for at, channel in channels_in(send):
        if are_known and not any(channel in each for each in known.values()):
            names = " and ".join(send.candidates)
            yield at, f"{names} {'has' if len(known) == 1 else 'have'} no channel {channel}"
        elif channels.get(channel, {}).get("provider") == "none":
            yield at, f"{channel} is asked, it cannot be sent to"
    for at, action in actions_in(send):
        if at != ("action",) and action in known and not any(channel in known[action] for channel in send.ladder):
            yield at, f"{action} has none of the channels of this step"
