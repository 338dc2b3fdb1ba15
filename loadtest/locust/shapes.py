"""How many people come when: a steady crowd, a burst of purchases, a soak; over the run's time, by `--shape`."""

from __future__ import annotations

from typing import Any

from locust import LoadTestShape, User

# What Locust asks a shape for: how many users, how fast they come, and of which classes; None at the end.
Tick = tuple[int, float] | tuple[int, float, list[type[User]]] | None


class Shape(LoadTestShape):
    """A shape for so many users in so many seconds. `buyers` are those who come in a burst."""

    abstract = True

    def __init__(self, users: int, seconds: int, buyers: list[type[User]]) -> None:
        super().__init__()
        self.users, self.seconds, self.buyers = users, seconds, buyers

    @property
    def done(self) -> float:
        """The part of the run that is over."""
        return float(self.get_run_time()) / self.seconds


class Burst(Shape):
    """A fifth of the crowd browses; in the middle third everybody comes, and most of them to buy; then they leave."""

    def tick(self) -> Tick:
        """Three parts."""
        if self.done >= 1:
            return None
        if 1 / 3 <= self.done < 2 / 3:
            return self.users, max(1.0, self.users / 2), self.buyers
        return max(1, self.users // 5), max(1.0, self.users / 5)


class Soak(Shape):
    """A tenth of the run to come, the rest to stay: for hours, to see what grows."""

    def tick(self) -> Tick:
        """Two parts."""
        if self.done >= 1:
            return None
        return self.users, max(0.1, self.users / max(1.0, self.seconds / 10))


SHAPES: dict[str, type[Shape]] = {"burst": Burst, "soak": Soak}


def of(name: str, users: int, seconds: int, buyers: list[type[User]]) -> Any:
    """The shape of that name; None for `steady`, which Locust does by itself."""
    return SHAPES[name](users, seconds, buyers) if name in SHAPES else None
