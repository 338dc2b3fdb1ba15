"""Budgets over all customers, leased to the shards in blocks of tokens (`docs/design/budgets.md`).

Shard 0 is the authority: it keeps how many tokens of each budget's period it has granted, never more than the limit.
Every shard spends from the block that it holds, in the batch of the very turn that spends, and asks for another block
before its own is empty. A lease has a number: asked again with the same number, after a crash on either side, the
authority grants the same lease again. So a budget is never overdrawn. Tokens that a shard holds when the period ends,
or when the shard is gone for good, are not spent.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from actors.shard.state import ShardState
from engine.catalog import zones
from engine.catalog.compiled import Budget
from engine.vocabulary import MINUTE_MS

SCARCE: Final = 64  # tokens; no single turn spends as many
_SOON_MS: Final = 1_000  # how long a message waits for tokens that are on their way
_DRY_MS: Final = 5_000  # how long a shard that got nothing waits before it asks again

Wanted = tuple[str, int, str, int]  # budget, period, who asks, number of the lease


class BudgetLeases:
    """The leases of one shard. `authority` are the leases of shard 0 where they are in this process and can be asked at
    once. Elsewhere `wanted` names the leases to ask for."""

    def __init__(self, state: ShardState, authority: BudgetLeases | None = None) -> None:
        self._state = state
        self.authority = self if authority is None and state.number == 0 else authority
        # The name of this store. One that was made anew must not be given the lease of its predecessor, so the name is
        # kept in the store, under the fact `purse`.
        self._store = str(state.meta("purse", ""))
        self._leases: dict[str, list[int]] = {}  # budget → [period, left, number of the last lease]
        self._dry_until: dict[str, int] = {}
        self._line: dict[str, int] = {}  # of paces: when the next message that waits comes back

    def tokens(self) -> dict[str, int]:
        """The tokens left of each budget that is scarce here. A turn is told only these: the others have enough for
        it."""
        found = {}
        for budget in self._state.catalog.budgets:
            lease = self._lease(budget)
            if lease[1] < SCARCE and self.authority is not None:
                self._borrow(budget, self.authority)
            if lease[1] < SCARCE:
                found[budget.id] = lease[1] if lease[1] > 0 or not budget.per_ms else -self._turn_ms(budget)
        return found

    def spend(self, name: str, count: int, at_ms: int) -> None:
        """A turn has spent tokens, or given some back (a negative count). Tokens of a former period are lost."""
        budget = next((budget for budget in self._state.catalog.budgets if budget.id == name), None)
        if budget is not None:
            lease = self._lease(budget)
            if not count and budget.per_ms:  # a message waits: the next one comes back a little later
                self._line[name] = self._turn_ms(budget) + max(1, budget.per_ms // budget.limit)
                return
            if self._period(budget, at_ms) == lease[0]:
                lease[1] -= count
                self._keep(name)

    def _turn_ms(self, budget: Budget) -> int:
        """When the next message that waits for its turn under a pace comes back: soon, where tokens are on their way;
        else behind the others that wait."""
        now_ms = self._state.clock.now_ms()
        if budget.id not in self._dry_until:
            return now_ms + _SOON_MS
        following = self._period(budget, now_ms) + budget.per_ms
        return max(self._line.get(budget.id, 0), following)

    def wanted(self) -> list[Wanted]:
        """The leases to ask shard 0 for."""
        now_ms = self._state.clock.now_ms()
        return [
            (budget.id, lease[0], self._name, lease[2] + 1)
            for budget in self._state.catalog.budgets
            if (lease := self._lease(budget))[1] < SCARCE
            # the upper bound ends the wait where the clock was set back
            and not 0 < self._dry_until.get(budget.id, 0) - now_ms <= _DRY_MS
        ]

    def take(self, wanted: Wanted, amount: int) -> None:
        """A lease was granted. One that comes twice counts once."""
        name, period, _, number = wanted
        lease = self._leases.get(name)
        if lease is None or lease[0] != period or number != lease[2] + 1:
            return
        if not amount:
            self._dry_until[name] = self._state.clock.now_ms() + _DRY_MS
            return
        lease[1], lease[2] = lease[1] + amount, number
        self._keep(name)

    def grant(self, wanted: Wanted) -> int:
        """On shard 0: grant a block, of 0 tokens where none is left. The caller answers once that is durable."""
        name, period, who, number = wanted
        budget = next((budget for budget in self._state.catalog.budgets if budget.id == name), None)
        if budget is None:
            return 0
        known: list[Any] = self._state.meta(f"granted/{name}", [period, 0, {}])
        if known[0] < period:
            known = [period, 0, {}]
        last = known[2].get(who, (0, 0, 0))
        if (period, number) == tuple(last[:2]):  # its answer was lost
            return int(last[2])
        if known[0] != period:  # the asking shard is behind: that period is over
            return 0
        amount: int = min(budget.block, max(0, budget.limit - known[1]))
        if amount:
            known[1] += amount
            known[2][who] = (period, number, amount)
            self._state.put_meta(f"granted/{name}", known)
        return amount

    def reading(self) -> dict[str, dict[str, int]]:
        """For each budget the tokens that this shard holds, and on shard 0 those that were granted."""
        found = {}
        for budget in self._state.catalog.budgets:
            held = max(0, self.tokens().get(budget.id, SCARCE))
            granted = self._state.meta(f"granted/{budget.id}", [0, 0, {}])[1]
            found[budget.id] = {"limit": budget.limit, "granted": granted, "held": held}
        return found

    def _borrow(self, budget: Budget, authority: BudgetLeases) -> None:
        for wanted in self.wanted():
            if wanted[0] == budget.id:
                self.take(wanted, authority.grant(wanted))

    @property
    def _name(self) -> str:
        if not self._store:
            self._store = secrets.token_hex(8)
            self._state.put_meta("purse", self._store)
        return self._store

    def _lease(self, budget: Budget) -> list[int]:
        period = self._period(budget, self._state.clock.now_ms())
        lease = self._leases.get(budget.id)
        if lease is None:
            lease = self._leases[budget.id] = list(self._state.meta(f"lease/{budget.id}", [period, 0, 0]))
        if lease[0] < period:
            lease[0], lease[1] = period, 0
            self._dry_until.pop(budget.id, None)
        return lease

    def _period(self, budget: Budget, at_ms: int) -> int:
        if budget.per_ms:
            return at_ms // budget.per_ms * budget.per_ms
        if budget.period is None:
            return 0
        return zones.start_of_period_ms(at_ms // MINUTE_MS, self._state.catalog.zone, budget.period)

    def _keep(self, name: str) -> None:
        self._state.put_meta(f"lease/{name}", self._leases[name])
