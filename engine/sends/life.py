"""The life of an intended send, as a table. No other module sets a send's state, or takes it out of its profile.

Every intended send ends in exactly one state that no arrow leaves. `held` ends it before it is decided: a gate said no.
A decided send waits in the outbox until it is authorised. It comes back there when its provider surely did not take it.

Its place under the caps goes with it. The place is reserved while the send is decided, committed when the hand-over is
authorised, kept while nobody knows the outcome, and released by every other end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.profile import Profile, Send
from engine.transitions import BEGIN, Life
from engine.vocabulary import FINAL_STATES

SEND: Final = Life(
    "send",
    {
        (BEGIN, "decide"): "decided",
        (BEGIN, "hold"): "held",
        (BEGIN, "withdraw"): "withdrawn",  # its run was stopped while it waited before this step
        ("decided", "ask for room"): "decided",  # an address that another profile counts for
        ("decided", "get room"): "decided",
        ("decided", "pause"): "decided",
        ("decided", "resume"): "decided",
        ("decided", "move"): "decided",  # to the profile that absorbs its own
        ("decided", "withdraw"): "withdrawn",
        ("decided", "expire"): "expired",  # its deadline has passed
        ("decided", "authorise"): "handing_over",
        ("handing_over", "move"): "handing_over",
        ("handing_over", "ask again"): "decided",  # by the same dispatcher: nothing was handed over
        ("handing_over", "retry"): "decided",
        ("handing_over", "not_begun"): "decided",
        ("handing_over", "sent"): "sent",
        ("handing_over", "simulated"): "simulated",
        ("handing_over", "refused"): "refused",
        ("handing_over", "unknown"): "unknown",
        ("handing_over", "give up"): "failed",  # it is worth no further try
        ("handing_over", "outlive its action"): "withdrawn",  # which is over before the next try
        ("handing_over", "expire"): "expired",  # its deadline comes before the next try
    },
)


def begin(profile: Profile, send: Send) -> None:
    """Begin a decided send: from now on it is one of the profile's."""
    send.state = SEND.after(BEGIN, "decide")
    profile.sends.append(send)


def never_begun(event: str) -> str:
    """The state that a send ends in without having been decided."""
    return SEND.after(BEGIN, event)


def advance(profile: Profile, send: Send, event: str) -> str:
    """Apply an event to a send of this profile; returns its new state. One that has ended leaves the profile."""
    send.state = SEND.after(send.state, event)
    if send.state in FINAL_STATES:
        profile.sends.remove(send)
    return send.state


def move(profile: Profile, arriving: Iterable[Send]) -> None:
    """Take in the open sends of an absorbed profile; they go on in this one."""
    for send in arriving:
        send.state = SEND.after(send.state, "move")
        profile.sends.append(send)
