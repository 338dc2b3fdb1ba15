"""Admits requests to a replica: chooses the limit against which each counts, and looks at its key, its room and its
body, in this order.

The key comes first, so that nobody without one takes room from others. The room comes next, so that a request which has
to be refused is refused before its body is read. The body comes last.
"""

from __future__ import annotations

from engine.errors import Overloaded
from engine.events.shedding import events_kept
from serve.http import paths
from serve.http.admission import LOOKED_INTO, NEVER_SHED, SHEDDABLE, WITHOUT_KEY, Admission, InFlight, Limit, may_name
from serve.http.auth import shows_key
from serve.http.gateway import Gateway
from serve.http.protocol import (
    BODY_BYTES_MAX,
    SMALL_BODY_BYTES_MAX,
    Headers,
    Receive,
    Request,
    read_request,
)
from serve.ingest.wire_event import NAMES_OF_KINDS
from serve.routes import consent
from serve.routes.pages import browser


async def admitted(
    admission: Admission, gateway: Gateway, path: str, headers: Headers, receive: Receive
) -> tuple[Request, InFlight, Limit]:
    """The whole request, the counter that it belongs to, and its limit there.

    Raises Unauthorised, TooLarge, TooSlow. Raises Overloaded over the limit, before the body is read; but not for a
    question, which always gets an answer.
    """
    is_keyed = _shows_key(gateway, path, headers)
    has_key_inside = not is_keyed and path in paths.WITH_KEY_IN_BODY
    may_be_large = path in paths.BATCHES or (is_keyed and not paths.is_small(path))
    in_flight, limit = admission.keyed, NEVER_SHED
    if path in paths.BATCHES or paths.is_question(path):
        limit = LOOKED_INTO
    elif not is_keyed and not has_key_inside:
        in_flight, limit = admission.keyless, WITHOUT_KEY
    if not paths.is_question(path):
        in_flight.check(limit)
    # A key in a body is not known until the body is there: until then it arrives among those without one.
    arriving = admission.keyed_arriving if is_keyed else admission.keyless_arriving
    most = BODY_BYTES_MAX if may_be_large else SMALL_BODY_BYTES_MAX
    request = await read_request(path, headers, receive, arriving, most)
    if has_key_inside:
        gateway.caller(headers, request.body)
    return request, in_flight, limit


def mark_if_over_limit(admission: Admission, gateway: Gateway, request: Request) -> None:
    """Mark a request that came in over the limit for requests that may be shed. A batch goes on for its events that are
    never shed, a question for the default of its placement. Overloaded for a batch that surely holds no such event."""
    if not admission.keyed.is_over(SHEDDABLE):
        return
    if request.path in paths.BATCHES:
        kept = events_kept(gateway.catalog)
        # An identify or a page does not name its event, so a search for the names would miss it.
        if kept.isdisjoint(NAMES_OF_KINDS) and not may_name(request.body, kept):
            raise Overloaded
        request.is_over_limit = True
    elif paths.is_question(request.path):
        request.is_over_limit = True


def _shows_key(gateway: Gateway, path: str, headers: Headers) -> bool:
    """Whether a request may take room of those with a key: it shows one, or is a link that we have signed.

    Raises Unauthorised for a key that is not known, and where there is none and the body cannot hold one.
    """
    if path.startswith(paths.LINKS):
        return consent.is_ours(gateway, path.removeprefix(paths.LINKS))
    if paths.is_settings(path):
        return browser.knows(gateway, path)
    if not path.startswith(paths.WITH_KEYS):
        return False
    if shows_key(headers) or paths.is_flag(path):
        gateway.caller(headers)
        return True
    return False
