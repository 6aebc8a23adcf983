"""How large each subset is and how long it takes to start, as the page on installing shows it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.wheels.subsets import SUBSETS, Subset

__all__ = ["BEGIN", "END", "Table"]

BEGIN = '<!-- written by `make test ARGS="-s matrix"` -->\n'
END = "<!-- written until here -->\n"
MIB = 1024 * 1024


@dataclass
class Table:
    """What was measured, by the names of subsets."""

    distributions: dict[str, int] = field(default_factory=dict)
    sizes_bytes: dict[str, int] = field(default_factory=dict)
    starts_s: dict[tuple[str, str], float] = field(default_factory=dict)

    def installed(self, subset: str, *, distributions: int, size_bytes: int) -> None:
        """Record what was installed; of several Pythons, the last counts."""
        self.distributions[subset] = distributions
        self.sizes_bytes[subset] = size_bytes

    def started(self, subset: str, python: str, seconds: float) -> None:
        """Record the CPU time of a start; the shortest counts, since the first one compiles."""
        self.starts_s[subset, python] = min(seconds, self.starts_s.get((subset, python), seconds))

    def write_into(self, page: Path, pythons: Sequence[str]) -> None:
        """Replace the table of a page. Raises ``ValueError`` where the page has no place for it."""
        before, _, rest = page.read_text().partition(BEGIN)
        _, end, after = rest.partition(END)
        if not end:
            raise ValueError(f"{page} has no place for the table: write {BEGIN}{END}")
        head = ["", "what", "distributions", "MiB", *(f"start, {one}" for one in pythons)]
        rows = [head, ["---", "---", *["---:"] * (len(head) - 2)], *(self._row(subset, pythons) for subset in SUBSETS)]
        table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
        page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")

    def _row(self, subset: Subset, pythons: Sequence[str]) -> list[str]:
        what = " ".join(f"`{one.removeprefix('idolchat-')}`" for one in subset.distributions)
        starts = [f"{self.starts_s[subset.name, one]:.2f} s" for one in pythons]
        size = f"{self.sizes_bytes[subset.name] / MIB:.0f}"
        return [f"**{subset.name}**: {subset.purpose}", what, str(self.distributions[subset.name]), size, *starts]
