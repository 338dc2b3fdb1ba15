"""Errors: what can go wrong, whose fault it is, and whether trying again helps.

SegueError        a code from a closed list, a one-line message, the field or file:line at fault
├─ InvalidInput   the caller's fault: a 400, a line in `rejected`, or a dead letter
│  ├─ Unauthorised, Forbidden, NotFound, TooLarge, RequestIdUsed, Outdated
├─ CatalogError   the configuration's fault: carries every problem, not only the first
├─ UsageError     the command line's or the machine's fault: one line on stderr, exit 2; InUse
├─ PartLost       the engine lost what it cannot replace: one line on stderr, exit 3; starting it again helps
├─ TryAgain       Overloaded(retry_after_ms), Parked(retry_after_ms), NotReady; StoreFailed
│  ├─ Moved(to), Away(to), Parted(to), Beside(to)
├─ ProviderError  Refused (final), Unavailable (retry), Unknown (may have sent: never blindly retried)
└─ Stop           Corrupt(where), Fenced(epoch): the process ends, nobody catches it

They all stand here, so that every process knows each of them. `BY_CODE` is the one table of them: an error crosses
processes as its code and the arguments of its constructor, whose types the class names in `arguments`.

Every constructor takes positional arguments only and hands all of them to `Exception`, so that each class survives
pickling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final


class SegueError(Exception):
    """An error with a code that programs read and a one-line message that people read."""

    code: ClassVar[str] = "error"
    arguments: ClassVar[tuple[type, ...]] = (str, str)  # that its constructor takes, in their order

    def __init__(self, message: str = "", field: str = "") -> None:
        super().__init__(message, field)
        self.message = message
        self.field = field

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class InvalidInput(SegueError):
    """The caller's input cannot be used; `field` says where."""

    code = "invalid_input"


class Unauthorised(InvalidInput):
    """No key, or one that is not known."""

    code = "unauthorised"


class Forbidden(InvalidInput):
    """A known key without the right to do this."""

    code = "forbidden"


class NotFound(InvalidInput):
    """There is no such thing."""

    code = "not_found"


class TooLarge(InvalidInput):
    """More bytes than the contract allows."""

    code = "too_large"


class RequestIdUsed(InvalidInput):
    """The id of a request stands for another question already."""

    code = "request_id_used"


class Outdated(InvalidInput):
    """Something has changed since the caller looked; they should look again."""

    code = "outdated"


class TooSlow(InvalidInput):
    """A request that took longer to arrive than anybody waits for."""

    code = "too_slow"


class CatalogError(SegueError):
    """The configuration cannot be compiled; `problems` holds a line for each fault as `file:line: path: message`."""

    code = "invalid_catalog"
    arguments = (tuple,)

    def __init__(self, problems: tuple[str, ...] = ()) -> None:
        Exception.__init__(self, problems)
        self.problems = tuple(problems)
        self.message = "; ".join(self.problems)
        self.field = ""


class UsageError(SegueError):
    """A command was used wrongly, or the machine does not allow what it asks for."""

    code = "usage"


class InUse(UsageError):
    """Another process has the store open."""

    code = "in_use"


class PartLost(SegueError):
    """A part of the engine has ended or stays away, and nothing here can bring it back; a new start can."""

    code = "part_lost"


class TryAgain(SegueError):
    """Nothing was done; the same call with the same ids may succeed later."""

    code = "try_again"


class Overloaded(TryAgain):
    """A bounded queue is full."""

    code = "overloaded"
    arguments = (int,)

    def __init__(self, retry_after_ms: int = 1000) -> None:
        Exception.__init__(self, retry_after_ms)
        self.retry_after_ms = retry_after_ms
        self.message, self.field = "too many requests are waiting, try again later", ""


class Parked(Overloaded):
    """The profile is on its way to another place; ask again when it has arrived there."""

    code = "parked"


class NotReady(TryAgain):
    """A shard is not up, or the disk takes no more."""

    code = "not_ready"


class StoreFailed(NotReady):
    """A store takes no more, or a file of it has gone: nothing of the group at hand is written, and what the shard has
    in memory is not to be believed."""

    code = "store_failed"


class Moved(TryAgain):
    """The profile lives elsewhere; `to` is its id."""

    code = "moved"
    arguments = (str,)

    def __init__(self, to: str = "") -> None:
        Exception.__init__(self, to)
        self.to = to
        self.message, self.field = f"the profile is now {to}", ""


class Away(Moved):
    """The profile lives in another process under the same id; `to` is its address."""

    code = "away"


class Parted(Moved):
    """The profile that was asked has split, and what it was asked belongs to the other one; `to` is that one's id. Its
    own place answers for it again, so an address that was learned for that place leads nowhere."""

    code = "parted"


class Beside(Moved):
    """The input came by an identifier that several people share, and is for the place `to` of another one that it
    carries. That is so for this input: the next one that comes by the shared identifier may carry something else."""

    code = "beside"


class ProviderError(SegueError):
    """A channel's provider did not take a message."""

    code = "provider"


class Refused(ProviderError):
    """The provider said no, for good."""

    code = "refused"


class Unavailable(ProviderError):
    """The provider could not be reached or asked to come back: surely nothing was sent."""

    code = "unavailable"


class Unknown(ProviderError):
    """The provider may have sent it. Never blindly retried."""

    code = "unknown"


class Stop(SegueError):
    """The process must end; its supervisor starts another one."""

    code = "stop"


class Corrupt(Stop):
    """A record cannot be read; `message` says where."""

    code = "corrupt"


class Fenced(Stop):
    """Another process holds a newer epoch of the same store."""

    code = "fenced"


def _classes(root: type[SegueError]) -> Iterator[type[SegueError]]:
    yield root
    for cls in root.__subclasses__():
        yield from _classes(cls)


BY_CODE: Final[Mapping[str, type[SegueError]]] = {cls.code: cls for cls in _classes(SegueError)}


def made_anew(code: str, arguments: Sequence[object]) -> SegueError | None:
    """The error that another process has told; None where no class has this code and takes such arguments."""
    cls = BY_CODE.get(code)
    if cls is None or len(arguments) > len(cls.arguments):
        return None
    # Tuples arrive as lists.
    given: list[Any] = [tuple(each) if isinstance(each, list) else each for each in arguments]
    fits = all(isinstance(each, kind) for each, kind in zip(given, cls.arguments, strict=False))
    return cls(*given) if fits else None
