"""Measures ours beside what people would use instead, and writes docs/benchmarks.md.

    make bench
    python -m tests.benchmarks [--quick] [--resume] [--only FAMILY] [--output FILE]

The peers must be installed in build/bench, which `make bench` does first. The page is written anew after each family,
and what was found is kept in build/bench/found, where `--resume` takes it up after a run that was cut short. A measure
that fails costs its own rows alone: they say so.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs

from tests.benchmarks.families import FAMILIES
from tests.benchmarks.report import Measured, document, section
from tests.benchmarks.rows import MISSED, Family, Size
from tests.benchmarks.turns import BUILD, OURS, ROOT, Answers, Bar, Broken, Call, Sample, alone, in_turn, place_of

COMMIT = {"commit": Call(OURS, {"measure": "commit", "times": 200})}
FOUND = BUILD / "found"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write it where the command line says."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure ours and its peers in turn.")
    parser.add_argument("--quick", action="store_true", help="little of each, to see that it works")
    parser.add_argument("--resume", action="store_true", help="keep what a run that was cut short has measured")
    parser.add_argument(
        "--only", action="append", default=[], metavar="FAMILY", help="print these families, write nothing"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "benchmarks.md", help="the page to write")
    options = parser.parse_args(arguments)
    families = [family(Size(quick=options.quick)) for family in FAMILIES]
    chosen = [family for family in families if not options.only or family.name in options.only]
    if not options.resume and not options.only:
        shutil.rmtree(FOUND, ignore_errors=True)
    bar = Bar(sum(len(one.made) + len(one.calls) * one.repeats + 1 for one in chosen))
    load = os.getloadavg()[0]
    measured: list[Measured] = []
    commits: list[Answers] = []
    for one in chosen:
        commit, answers = _kept(one) if options.resume else (None, None)
        if commit is None or answers is None:
            commit = in_turn("commit", {}, COMMIT, 1, bar)
            answers = _with_profile(one, in_turn(one.name, one.made, one.calls, one.repeats, bar))
            if not options.only:
                _keep(one, commit, answers)
        commits.append(commit)
        measured.append(Measured(one, answers))
        if not options.only:
            page = document(measured, _limits(commits), load, quick=options.quick)
            options.output.write_text(page, encoding="utf-8")
    bar.close()
    print("\n".join(section(one) for one in measured) if options.only else options.output.read_text(encoding="utf-8"))
    return int(any(one.answers.broken for one in measured))


def _with_profile(family: Family, answers: Answers) -> Answers:
    """With where the time goes, if a row has missed its floor."""
    missed = any(row.reached == MISSED for row in family.rows(answers))
    if family.where is None or not missed:
        return answers
    try:
        return attrs.evolve(answers, where=alone(family.where, place_of(family.name))["parts"])
    except Broken as error:
        return attrs.evolve(answers, broken={**answers.broken, "the profile": error.short})


def _limits(commits: Sequence[Answers]) -> tuple[Sample, Sample]:
    """A commit of this disk, between the families: its p50 and its p99."""
    fast, slow = (
        [one.of("commit", which).median for one in commits if one.turns["commit"]] for which in ("p50", "p99")
    )
    return Sample(tuple(fast)), Sample(tuple(slow))


def _keep(family: Family, commit: Answers, answers: Answers) -> None:
    FOUND.mkdir(parents=True, exist_ok=True)
    kept = json.dumps([attrs.asdict(commit), attrs.asdict(answers)])
    (FOUND / f"{family.name}.json").write_text(kept, encoding="utf-8")


def _kept(family: Family) -> tuple[Answers | None, Answers | None]:
    file = FOUND / f"{family.name}.json"
    if not file.exists():
        return None, None
    commit, answers = json.loads(file.read_text(encoding="utf-8"))
    return Answers(**commit), Answers(**answers)


if __name__ == "__main__":
    sys.exit(main())
