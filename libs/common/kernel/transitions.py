"""State machines as tables: tests walk them, and the drawings in the READMEs are made from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

S = TypeVar("S", bound=StrEnum)
A = TypeVar("A", bound=StrEnum)


@dataclass(frozen=True)
class Transitions(Generic[S, A]):
    """Every legal (status, action) and the status it leads to; what is not in the table is refused."""

    start: S
    table: Mapping[tuple[S, A], S]

    def after(self, status: S, action: A) -> S | None:
        """Return the next status, or None when the action is illegal in this one."""
        return self.table.get((status, action))

    def allowing(self, action: A) -> list[S]:
        """List the statuses in which an action is legal, for the error that names them."""
        return [status for status, possible in self.table if possible == action]

    def possible(self, status: S) -> list[A]:
        """List the actions that are legal in a status, for the error that names the way out."""
        return [action for start, action in self.table if start == status]

    def mermaid(self) -> str:
        """Draw the table as a Mermaid state diagram, one arrow a line."""
        arrows = [f"    {source} --> {target}: {action}" for (source, action), target in self.table.items()]
        ends = {target for target in self.table.values() if all(source != target for source, _ in self.table)}
        return "\n".join(
            ["stateDiagram-v2", f"    [*] --> {self.start}", *arrows, *(f"    {end} --> [*]" for end in sorted(ends))]
        )
