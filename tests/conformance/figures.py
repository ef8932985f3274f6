"""The README's conformance figures, counted by running the W3C suite: `python -m tests.conformance.figures`."""

from __future__ import annotations

from pathlib import Path

import attrs

from tests.conformance.drawing import ANEW, SAMPLE
from tests.conformance.host import Host
from tests.conformance.optional import FAILING, HTTP

SUITE = Path(__file__).parents[3] / "shared" / "scxml" / "w3c"
PASSED = ("pass",)


@attrs.frozen
class Figures:
    """Documents that pass, plain and reloaded after every input, of those there are."""

    mandatory_passed: int
    mandatory: int
    optional_passed: int
    optional: int
    over_http: int

    def rows(self) -> list[str]:
        """The rows of the README's table."""
        without = self.optional - self.optional_passed
        return [
            f"| mandatory W3C documents | {self.mandatory_passed} of {self.mandatory} pass, "
            "and again with the run reloaded from its bytes after every input |",
            f"| optional W3C documents | {self.optional_passed} of {self.optional} pass; {without} do not, "
            f"{self.over_http} of them over HTTP: [each with its reason](tests/conformance/optional.py) |",
            f"| statecharts drawn at random | {SAMPLE + ANEW} or more at each run; none differs from a second "
            "interpreter, written from the Recommendation's appendix D (and its "
            "sections 3.4 and 3.13 where those part from it) |",
        ]


def documents(kind: str) -> list[Path]:
    """The documents of a kind that are started, not those that others invoke."""
    return sorted(path for path in (SUITE / kind).glob("test*.scxml") if "sub" not in path.stem)


def rests(path: Path, *, reload: bool) -> tuple[str, ...]:
    """The states in which a document comes to rest."""
    return Host(path.parent, reload=reload).run(path.read_text(encoding="utf-8"))


def passes(path: Path) -> bool:
    """Whether a document comes to rest in `pass`, both ways."""
    return all(rests(path, reload=reload) == PASSED for reload in (False, True))


def figures() -> Figures:
    """Run them all."""
    mandatory, optional = documents("mandatory"), documents("optional")
    return Figures(
        mandatory_passed=sum(map(passes, mandatory)),
        mandatory=len(mandatory),
        optional_passed=sum(map(passes, optional)),
        optional=len(optional),
        over_http=sum(reason == HTTP for reason in FAILING.values()),
    )


if __name__ == "__main__":
    print(*figures().rows(), sep="\n")
