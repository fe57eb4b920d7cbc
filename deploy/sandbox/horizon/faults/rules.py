"""Rules of what goes wrong: for which requests, how often, and what."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

from deploy.sandbox.horizon.resources.transactions import Body

RULES_MAX: Final = 200


class Fault(StrEnum):
    """What goes wrong."""

    NOT_FOUND = "not_found"
    RATE_LIMITED = "rate_limited"
    STALE_HISTORY = "stale_history"
    GATEWAY_TIMEOUT = "gateway_timeout"
    BAD_SEQUENCE = "bad_sequence"
    TRY_AGAIN_LATER = "try_again_later"
    GARBAGE = "garbage"
    BROKEN_JSON = "broken_json"
    CUT = "cut"
    CUT_MIDWAY = "cut_midway"
    SLOW = "slow"
    LAG = "lag"
    LOSE = "lose"
    DROP = "drop"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    REPEAT = "repeat"
    PATCH = "patch"
    STALL = "stall"
    NO_IDS = "no_ids"


class When(StrEnum):
    """How far a request gets before it goes wrong. Only a submission is ever applied."""

    BEFORE = "before"
    ACCEPTED = "accepted"
    APPLIED = "applied"


OF_RECORDS: Final = frozenset({Fault.DROP, Fault.DUPLICATE, Fault.REORDER, Fault.REPEAT, Fault.PATCH})
OF_STREAMS: Final = frozenset({Fault.STALL, Fault.NO_IDS})
OF_READING: Final = frozenset({Fault.LAG, Fault.LOSE, Fault.SLOW})


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which requests a rule is about; `path` may have wildcards, `account` and `hash` may be in a submitted transaction."""

    method: str = "*"
    path: str = "*"
    account: str | None = None
    hash: str | None = None
    is_stream: bool | None = None


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule.

    Of the requests that match, `nth` picks some by number from 1, `probability` some by the dice that `seed` fixes, and `times`
    ends it. `positions` (from 0) and `share` pick records of a page or events of a stream; `after` is how many events a
    stream is let have; `seconds` how long something takes, or is waited for to be applied; `lag` is in ledgers,
    one for all requests or one for each of several replicas that take turns.
    """

    fault: Fault
    name: str = ""
    match: Match = Match()
    when: When = When.BEFORE
    nth: tuple[int, ...] = ()
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    positions: tuple[int, ...] = ()
    share: float = 0.0
    after: int = 0
    seconds: float = 0.0
    lag: tuple[int, ...] = (1,)
    patch: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a request before it is handled."""

    method: str
    path: str
    accounts: Collection[str]
    hashes: Collection[str]
    is_stream: bool


@dataclass(slots=True)
class Live:
    """A rule at work; `seen` counts requests that match, `fired` those that went wrong."""

    rule: Rule
    seen: int = 0
    fired: int = 0
    dice: random.Random = field(default_factory=random.Random)
    remembered: list[Body] | None = None

    def fires(self, facts: Facts) -> bool:
        """Count a request and say whether it goes wrong."""
        rule, match = self.rule, self.rule.match
        if not (fnmatchcase(facts.method, match.method.upper()) and fnmatchcase(facts.path, match.path)):
            return False
        if match.account not in {None, *facts.accounts} or match.hash not in {None, *facts.hashes}:
            return False
        if match.is_stream not in {None, facts.is_stream} or (rule.fault in OF_STREAMS and not facts.is_stream):
            return False
        self.seen += 1
        is_chosen = not rule.nth or self.seen in rule.nth
        is_chosen = is_chosen and (rule.times is None or self.fired < rule.times)
        is_chosen = is_chosen and self.dice.random() < rule.probability
        self.fired += is_chosen
        return is_chosen

    def picks(self, count: int) -> set[int]:
        """Choose among records or events of a batch."""
        chosen = {position for position in self.rule.positions if position < count}
        return chosen | {position for position in range(count) if self.dice.random() < self.rule.share}

    @property
    def lag(self) -> int:
        """How many ledgers the replica whose turn it is lags."""
        lags = self.rule.lag
        return lags[(self.fired - 1) % len(lags)] if lags else 0


class Rulebook:
    """All rules, in the order they were made."""

    def __init__(self) -> None:
        """Begin without any."""
        self._rules: dict[str, Live] = {}
        self._made = 0

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._rules)

    def add(self, rule: Rule) -> str:
        """Make a rule and return its name; a rule of the same name is replaced.

        Raises:
            ValueError: it could never do anything, or there are too many.
        """
        if rule.fault in {Fault.DROP, Fault.DUPLICATE} and not rule.positions and not rule.share:
            raise ValueError(f"{rule.fault.value} needs positions or a share of the records")
        if rule.fault is Fault.PATCH and not rule.patch:
            raise ValueError("patch needs the fields to change")
        if len(self._rules) >= RULES_MAX:
            raise ValueError(f"there are {RULES_MAX} rules already")
        self._made += 1
        name = rule.name or f"{rule.fault.value}-{self._made}"
        self._rules[name] = Live(rule, dice=random.Random(rule.seed))  # noqa: S311 - dice that can be thrown again
        return name

    def remove(self, name: str) -> bool:
        """Drop a rule; False if there is none of that name."""
        return self._rules.pop(name, None) is not None

    def clear(self) -> None:
        """Drop all rules."""
        self._rules.clear()

    def firing(self, facts: Facts) -> list[Live]:
        """Return what goes wrong with a request."""
        return [live for live in list(self._rules.values()) if live.fires(facts)]

    def counts(self) -> list[dict[str, object]]:
        """Show all rules with how often each matched and fired."""
        return [
            {"name": name, "seen": live.seen, "fired": live.fired, "rule": msgspec.to_builtins(live.rule)}
            for name, live in self._rules.items()
        ]


def distort(records: Sequence[Body], lives: Sequence[Live]) -> list[Body]:
    """Hand out other records than there are."""
    changed = list(records)
    for live in lives:
        fault = live.rule.fault
        if fault not in OF_RECORDS:
            continue
        chosen = live.picks(len(changed))
        if fault is Fault.DROP:
            changed = [record for place, record in enumerate(changed) if place not in chosen]
        elif fault is Fault.DUPLICATE:
            changed = [copy for place, record in enumerate(changed) for copy in [record] * (1 + (place in chosen))]
        elif fault is Fault.REORDER:
            live.dice.shuffle(changed)
        elif fault is Fault.REPEAT:
            changed, live.remembered = (changed if live.remembered is None else live.remembered), changed
        else:
            everything = not live.rule.positions and not live.rule.share
            changed = [
                {**record, **live.rule.patch} if everything or place in chosen else record for place, record in enumerate(changed)
            ]
    return changed
