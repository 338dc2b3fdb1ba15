"""What each of two profiles gets back of what was said about consent."""

from __future__ import annotations

from engine.contact import consents
from engine.profile import ConsentRecord, Word
from engine.splitting.case import Case, keyed
from engine.splitting.sides import Side


def said(case: Case, name: str) -> None:
    """A no that was said since goes to both, also one that a later yes has lifted: the yes is one side's alone. A no
    that binds an address stays with whoever has the address."""
    now, after, before, other = (keyed(getattr(profile, name), _scope) for profile in case.states)
    changed = [(record, _consent_owner(case, record)) for scope, record in now.items() if after.get(scope) != record]
    for profile, own, gets in ((case.mine, before, _here), (case.theirs, other, _there)):
        found = {scope: record for scope, record in own.items() if name == "consent" or scope in now}
        news = [record for record, side in changed if gets(side)]
        lifted = [no for record, side in changed if not gets(side) for no in record.lifted]
        noes = [no for no in map(_as_record, lifted) if after.get(_scope(no)) != no]
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
