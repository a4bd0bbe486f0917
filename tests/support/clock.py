"""Time and names that stand still until told."""


class FrozenClock:
    """A clock that a test moves by hand; epoch milliseconds."""

    def __init__(self, at: int = 1_790_000_000_000) -> None:
        self.at = at

    def now_at(self) -> int:
        return self.at

    def advance(self, ms: int) -> None:
        self.at += ms


class SequentialIds:
    """Ids that count, so that failures read well."""

    def __init__(self) -> None:
        self.count = 0

    def new(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.count:032x}"

    def secret(self) -> str:
        self.count += 1
        return f"secret{self.count}"
