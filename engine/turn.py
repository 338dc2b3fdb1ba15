"""handle(): what one input does to one customer. Read this page to know what happens to a customer.

A turn is deterministic to the byte: time, the catalog and every secret that ids are keyed with come in as arguments. It
changes nothing but the profile that is passed in; everything else that should happen is returned as effects, in order.

Every turn begins by applying the active catalog to journeys that began earlier: runs of ended ones end, runs of resumed
ones go on. Then an event's turn has one order: who this is → what is known → consent → stops → resets and `wait_for` →
entries → sends. So a purchase ends its runs before anything of the same turn could be sent.
"""

from __future__ import annotations

from functools import partial

import msgspec

from engine.catalog.compiled import Catalog
from engine.consent import recording, statements
from engine.decide import decision, draws, exposures
from engine.effects import Effect
from engine.errors import Moved
from engine.events import bounding, setting_back
from engine.handoffs import changes, opening
from engine.identity import address_statements, asking, claims, holding, lending, sharing, traits
from engine.inputs import (
    AnyInput,
    Ask,
    Authorise,
    Bind,
    Candidate,
    Claim,
    Confirm,
    ConsentChange,
    Decide,
    Declined,
    Erase,
    Event,
    Exposure,
    Fact,
    Given,
    GoOn,
    HandedOver,
    HandOver,
    Join,
    LinkRefused,
    Merge,
    OpenLink,
    PassedOn,
    PointTo,
    Reconsider,
    Registered,
    Rejoin,
    Released,
    Resembles,
    Revert,
    Revive,
    Revived,
    Settle,
    Shared,
    Shares,
    Split,
    Stay,
    Suspect,
    TimersDue,
    Unlike,
    Used,
)
from engine.journeys import interpreter, listening, pauses
from engine.journeys.things import hearing as facts
from engine.journeys.things import interests
from engine.journeys.watching import look
from engine.likeness import answers
from engine.merging import erasure, pointers, take_in, transfer
from engine.profile import Profile, Tombstone
from engine.readings import consent_words
from engine.recent_events import Happened
from engine.sends import moving, outcomes, sends
from engine.splitting import hearing, marks, revive
from engine.turn_state import Turn
from engine.values import stated_time


def handle(profile: Profile, told: AnyInput, catalog: Catalog, now_ms: int) -> list[Effect]:
    """Tell `profile` something; returns the effects that must become durable with its new state.

    `now_ms` is the engine's clock. The turn's clock is never behind that of the profile's last turn, unless that one
    was wrong (`engine.events.setting_back`). Raises InvalidInput where the input itself cannot be used; an
    AssertionError is a fault of ours. In both cases the caller undoes the profile.
    """
    turn = Turn(profile, catalog, setting_back.clock_of(profile, now_ms), told.tokens)
    if setting_back.is_ahead(profile, now_ms):
        setting_back.set_back(turn)
    is_moving = bool(profile.moving_to)
    profile.clock_ms = turn.now_ms
    profile.created_ms = profile.created_ms or turn.now_ms
    if told.drawn and not isinstance(told, HandOver):  # draws of a hand-over are joined when it is taken in
        draws.recall(profile, told.drawn, catalog)
    if not is_moving:
        pauses.settle(turn)
    _react(turn, told)
    if not is_moving:  # a profile that is handed over stays as it is until its last piece has left
        listening.hear_rest(turn, told)
        bounding.bound(turn, told)
    return turn.effects


def _react(turn: Turn, told: AnyInput) -> None:
    """Handle an input from outside, from a dispatcher or from a timer; messages between profiles go on."""
    match told:
        case Event():
            _on_event(turn, told)
        case TimersDue():
            listening.hear_time(turn, told)
            interpreter.resume_due(turn, told.at_ms)
        case Decide():
            _on_decide(turn, told)
        case Exposure():
            exposures.expose(turn, told, exposures.read_token(turn.catalog.id_key, told.token))
        case ConsentChange():
            _on_consent(turn, told)
        case Authorise():
            if not sends.reclaim(turn, told):
                sends.authorise(turn, told)
        case Settle():
            sends.settle(turn, told)
        case Erase():
            erasure.erase(turn, told)
        case Confirm():
            address_statements.confirm(turn, told)
            claims.confirmed(turn, told)
        case Join():
            claims.join(turn, told)
        case Fact():
            facts.hear(turn, told)
        case Reconsider():
            interests.learn_from_history(turn)  # and looking is what every turn ends with
        case _:
            _on_message(turn, told)


def _on_message(turn: Turn, told: AnyInput) -> None:
    """Handle a message of another profile: about merging, or about an address that several profiles have."""
    match told:
        case HandOver():
            take_in.take_in(turn, told)
            changes.settle(turn)
        case GoOn():
            transfer.go_on(turn, told)
        case Merge():
            transfer.answer(turn, told)
        case Claim():
            transfer.claimed(turn, told)
        case Stay():
            transfer.stay(turn, told)
        case HandedOver():
            transfer.leave_tombstone(turn, told)
        case Released():
            pointers.release(turn, told)
        case Declined():
            asking.decline(turn, told)
            changes.settle(turn)
        case Shares():
            sharing.shares(turn, told)
        case Shared():
            sharing.demoted(turn, told)
        case Bind():
            holding.bind(turn, told)
            sends.withdraw_without_consent(turn)
        case Registered():
            holding.hear(turn, told)
            sends.withdraw_without_consent(turn)
            sends.go_on_answered(turn)
        case Ask():
            lending.give(turn, told)
        case Used():
            lending.take_back(turn, told)
        case Given():
            sends.give_room(turn, told)
        case Split() | Revive() | Revived() | Rejoin() | Revert() | PassedOn():
            hearing.hear(turn, told)
        case OpenLink():
            opening.open_link(turn, told)
        case LinkRefused():
            opening.refuse(turn, told)
            changes.settle(turn)
        case _:
            answers.hear(turn, told)


def handle_tombstone(
    stand_in: Profile, tombstone: Tombstone, told: AnyInput, catalog: Catalog, now_ms: int
) -> list[Effect]:
    """Handle an input at a place whose profile lives elsewhere. `stand_in` carries the place's id and sequence.

    Raises Moved for every input that the profile itself has to hear.
    """
    turn = Turn(stand_in, catalog, now_ms)
    erased = erasure.is_erased(stand_in.id, tombstone)
    match told:
        case Erase() if told.places:
            erasure.at_tombstone(turn, tombstone, told)
        case Merge() | Claim() | HandOver() if erased:
            erasure.at_tombstone(turn, tombstone, told)
        case Merge():
            pointers.pass_on(turn, tombstone, told)
        case Claim():
            pointers.note_holder(turn, tombstone, told)
        case Shares() if not erased:
            sharing.shares(turn, told, tombstone)
        case Bind() if not erased:
            holding.bind(turn, told, tombstone)
        case Resembles() if erased:
            turn.tell(told.profile, Unlike(profile=told.to))
        case Candidate() if erased:
            turn.tell(told.profile, Unlike(profile=turn.profile.id, gone=True))
        case Suspect() | Unlike() | Fact() if erased:
            pass
        case GoOn() | HandedOver() | Stay():
            pass  # the profile has gone already, with all its pieces
        case Revive() if erased:
            revive.find_nobody(turn, told)
        case Revive():
            revive.take_records(turn, told)
        case PointTo():
            revive.point(turn, tombstone, told)
        case Settle() | HandOver():
            raise Moved(tombstone.heir or tombstone.to)
        case _:
            raise Moved(tombstone.to)
    return turn.effects


def _on_event(turn: Turn, event: Event) -> None:
    profile = turn.profile
    at_ms = stated_time.of_event(event.at_ms, turn.now_ms)
    of_time = look.overdue(turn, at_ms)
    profile.seq += 1
    turn.is_public = event.public
    if at_ms != event.at_ms:
        event = msgspec.structs.replace(event, at_ms=at_ms)
    marked, zone, before = marks.before(turn, event), profile.timezone, moving.where(turn)
    claims.learn(turn, event)
    traits.learn(turn, event)
    moving.look_again(turn, before)
    outcomes.learn(turn, event)
    changes.arrive(turn, event)
    happened = Happened(
        at_ms,
        profile.seq,
        event.name,
        event.properties,
        event.message_id,
        event.channel,
        event.source,
        heard_ms=turn.now_ms if at_ms > turn.now_ms else 0,
        by=marked.by if marked is not None else (),
    )
    turn.remember(happened)
    if statements.carries(turn.catalog, event.name):
        for said in statements.read(event, turn.catalog):
            recording.record(turn, said)
        sends.withdraw_without_consent(turn)
    is_all = not (event.traits or turn.effects or profile.timezone != zone)
    interests.learn(turn, happened)
    before_walking = None if marked is None else partial(marked.write, turn)
    listening.hear_event(turn, happened, of_time, before_walking, is_all=is_all)


def _on_decide(turn: Turn, asked: Decide) -> None:
    decision.decide(turn, asked)
    if asked.link:
        opening.follow(turn, asked)
    if not turn.profile.identifiers and (turn.profile.places or turn.profile.promises):
        claims.introduce(turn, asked)


def _on_consent(turn: Turn, change: ConsentChange) -> None:
    if change.address and holding.is_known(turn.profile, change):
        return
    marked = marks.before(turn, change)
    claims.learn(turn, change)
    heard = recording.record(turn, change)
    if marked is not None:
        marked.write(turn)
    sends.withdraw_without_consent(turn)
    interpreter.walk(turn, interpreter.held_runs(turn))  # held sends may have waited for this consent
    turn.answer(consent_words.receipt(turn.profile.id, heard))
