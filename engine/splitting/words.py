"""What each of two profiles gets back of what was said: about consent, and of its traits."""

from __future__ import annotations

from engine.catalog.identity_rules import TraitRule
from engine.contact import consents
from engine.identity import trait_words
from engine.identity import traits as known
from engine.profile import ConsentRecord, TraitValue, Word
from engine.splitting.case import Case, keyed
from engine.splitting.sides import Side


def said(case: Case, name: str) -> None:
    """A no that was said since goes to both, also one that a later yes has lifted: the yes is one side's alone. A no
    that binds an address stays with whoever has the address."""
    now, after, before, other = (keyed(getattr(profile, name), _scope) for profile in case.states)
    changed = [(record, _consent_owner(case, record)) for scope, record in now.items() if after.get(scope) != record]
    lifted_before = [no for record in after.values() for no in record.lifted]
    for profile, own, gets in ((case.mine, before, _here), (case.theirs, other, _there)):
        found = {scope: record for scope, record in own.items() if name == "consent" or scope in now}
        news = [record for record, side in changed if gets(side)]
        lifted = [no for record, side in changed if not gets(side) for no in record.lifted]
        noes = [_as_record(no) for no in lifted if no not in lifted_before]
        noes = [no for no in noes if after.get(_scope(no)) != no]
        for record in [*noes, *news]:
            found[_scope(record)] = record
        for no in [record for record in found.values() if not record.granted]:
            if any(_lifts(yes, no) for yes in news):
                del found[_scope(no)]
        has = {case.sides.place(link)[:-2] for link in profile.identifiers}
        for record in now.values():
            if record.address and record.address[:-2] in has and not record.granted:
                found.setdefault(_scope(record), record)
        setattr(profile, name, sorted(found.values(), key=_scope))


def _consent_owner(case: Case, record: ConsentRecord) -> Side:
    if not record.granted:
        return Side.BOTH
    if record.address and (side := case.sides.of_place(record.address)) is not None:
        return side
    return case.owner(record.by, "consent", f"{record.purpose} {record.channel}")


def _here(side: Side) -> bool:
    return side.here


def _there(side: Side) -> bool:
    return side.there


def _scope(record: ConsentRecord) -> tuple[str, str, str]:
    return record.purpose, record.channel, record.address


def _lifts(yes: ConsentRecord, no: ConsentRecord) -> bool:
    return (
        yes.granted
        and yes.at_ms > no.at_ms
        and no.address in ("", yes.address)
        and consents.covers(yes, no.purpose, no.channel)
    )


def _as_record(no: Word) -> ConsentRecord:
    return ConsentRecord(*(getattr(no, name) for name in Word.__struct_fields__))


def traits(case: Case, name: str) -> None:
    """A trait of which nothing was said since is what it was on each side. Else each side weighs its own words and
    those since that are its. What was taken back since stays away, and so does a trait that has gone."""
    for each in dict.fromkeys([*case.now.traits, *case.after.traits]):
        words = [profile.traits.get(each) for profile in case.states]
        both = _weighed(case, name, each, words, trait_words.rule_of(case.catalog, each))
        for side, word, was in zip((case.mine, case.theirs), both, words[2:], strict=True):
            if word is None:
                side.traits.pop(each, None)
            elif word is not was:
                side.traits[each] = word
    if name in case.loose:
        case.loose[name] = [*dict.fromkeys(case.loose[name])]


def of_device(case: Case, name: str) -> None:
    """Locale and zone, in the same way."""
    for each in known.OF_DEVICE:
        words = [known.of_device(profile, each) for profile in case.states]
        both = _weighed(case, "traits", each, words, None)
        for side, word, was in zip((case.mine, case.theirs), both, words[2:], strict=True):
            if word is not was:
                known.settle(side, each, word)


def _weighed(
    case: Case, kind: str, name: str, words: list[TraitValue | None], rule: TraitRule | None
) -> tuple[TraitValue | None, TraitValue | None]:
    """What both get of one trait, of the words in the four states; the very word of before where it is as it was."""
    now, after = map(trait_words.words_of, words[:2])
    before, other = words[2:]
    if words[0] is not None and now == after:
        return before, other
    owners = [(word, case.owner(word.by, kind, name)) for word in now if word not in after]
    gone = [word for word in after if words[0] is None or _is_taken_back(word, now)]
    mine, theirs = ([word for word, side in owners if gets(side)] for gets in (_here, _there))
    return _made(rule, before, mine, gone), _made(rule, other, theirs, gone)


def _made(
    rule: TraitRule | None, was: TraitValue | None, new: list[TraitValue], gone: list[TraitValue]
) -> TraitValue | None:
    own = trait_words.words_of(was)
    left = [word for word in own if word not in gone]
    return was if not new and len(left) == len(own) else trait_words.made_of(rule, [*left, *new])


def _is_taken_back(word: TraitValue, now: list[TraitValue]) -> bool:
    """Whether a word is gone, and not only driven out by a later one of its source."""
    if word in now:
        return False
    later = (each for each in now if each.source == word.source)
    return not any(trait_words.heard_ms(each) >= trait_words.heard_ms(word) for each in later)
