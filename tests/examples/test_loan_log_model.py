"""The rules of the bank's process, told as stories: an event with a `!` is one that must be refused."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from examples.loan_log_events import Item
from examples.loan_log_model import OUTCOMES
from examples.loan_log_replay import Log
from examples.xes import Trace, read
from tests.examples.loan_log_stories import ENDINGS, FINAL, OFFERED, fold, story, swapped

DEALT = f"{OFFERED} O_ACCEPTED A_APPROVED A_REGISTERED A_ACTIVATED"
STORIES = {
    "an application begins by being submitted": "!A_PARTLYSUBMITTED !A_DECLINED A_SUBMITTED !A_SUBMITTED",
    "no stage is left out": "A_SUBMITTED !A_PREACCEPTED A_PARTLYSUBMITTED !A_ACCEPTED A_PREACCEPTED !A_FINALIZED",
    "no stage comes twice": f"{OFFERED} !A_FINALIZED !A_ACCEPTED !A_PREACCEPTED",
    "a decision is final": "A_SUBMITTED A_PARTLYSUBMITTED A_DECLINED !A_CANCELLED !A_PREACCEPTED !A_DECLINED",
    "it is not given up before its first check": "A_SUBMITTED !A_CANCELLED !A_DECLINED",
    "the formalities come in any order, each once": f"{OFFERED} A_ACTIVATED A_APPROVED !A_APPROVED A_REGISTERED",
    "a granted loan is neither declined nor cancelled": f"{OFFERED} A_APPROVED !A_DECLINED !A_CANCELLED",
    "nothing is granted before it is final": "A_SUBMITTED A_PARTLYSUBMITTED A_PREACCEPTED !A_APPROVED !A_REGISTERED",
    "nothing is granted without an offer": f"{FINAL} !A_APPROVED O_SENT A_APPROVED",
    "nothing is given up while an offer is being made": f"{FINAL} !A_DECLINED !A_CANCELLED O_SENT A_DECLINED",
    "nothing is given up once an offer is accepted": f"{OFFERED} O_ACCEPTED !A_DECLINED !A_CANCELLED A_APPROVED",
    "no offer before the application is accepted": "A_SUBMITTED A_PARTLYSUBMITTED A_PREACCEPTED !O_SELECTED",
    "an offer is written when the application is final": FINAL.replace("A_FINALIZED O_CREATED", "!O_CREATED"),
    "an offer is made in its order": f"{FINAL} !O_CREATED !O_SENT_BACK !O_ACCEPTED O_SENT !O_SENT O_SENT_BACK",
    "one offer at a time": f"{OFFERED} O_SELECTED !O_CREATED !O_SELECTED O_CANCELLED O_CREATED O_SENT !O_CREATED",
    "after a cancelled offer another may follow": f"{OFFERED} O_CANCELLED !O_ACCEPTED O_SELECTED O_CREATED O_SENT",
    "after an accepted offer no other follows": f"{OFFERED} O_ACCEPTED !O_SELECTED !O_CANCELLED !O_DECLINED",
    "offers end with their application": f"{OFFERED} A_CANCELLED !O_SENT_BACK !O_ACCEPTED !O_SELECTED O_CANCELLED",
    "an offer is not declined when its customer cancels": f"{OFFERED} A_CANCELLED !O_DECLINED",
    "an offer is not cancelled when the bank declines": f"{OFFERED} A_DECLINED !O_CANCELLED O_DECLINED",
    "an offer may be accepted after the loan is granted": f"{OFFERED} A_APPROVED O_ACCEPTED A_REGISTERED",
    "work is scheduled before it is done": "A_SUBMITTED A_PARTLYSUBMITTED !>LEADS !.LEADS +LEADS >LEADS .LEADS",
    "work belongs to its stage": "A_SUBMITTED !+LEADS A_PARTLYSUBMITTED !+OFFERS !+COMPLETION +FRAUD >FRAUD",
    "one person at a time": "A_SUBMITTED A_PARTLYSUBMITTED +LEADS >LEADS !>LEADS .LEADS >LEADS",
    "the next item waits for the one in hand": f"{FINAL} O_SENT +OFFERS !>OFFERS !.OFFERS .COMPLETION >OFFERS",
    "another item takes the place of the one that waits": f"{OFFERED} +ASSESSMENT !>OFFERS >ASSESSMENT",
    "an item that waits can be closed": f"{OFFERED} .OFFERS !>OFFERS !.OFFERS +OFFERS >OFFERS",
    "no work is begun after a refusal": f"{OFFERED} A_CANCELLED !>OFFERS !+OFFERS .OFFERS",
    "work begun before a refusal is laid down": f"{OFFERED} >OFFERS A_CANCELLED .OFFERS !>OFFERS",
    "work goes on after a grant": f"{DEALT} >OFFERS .OFFERS !+OFFERS",
    "a contract is changed when there is one": f"{DEALT} +CONTRACT +CONTRACT !>CONTRACT !.CONTRACT >OFFERS",
    "no contract is changed before": "A_SUBMITTED A_PARTLYSUBMITTED !+CONTRACT",
    "what the bank does not know is refused": "A_SUBMITTED !A_UNHEARD !X A_PARTLYSUBMITTED",
}


@pytest.mark.parametrize("rule", STORIES)
def test_the_rules_hold(rule: str) -> None:
    """Exactly what the story marks is refused."""
    words = STORIES[rule].split()
    events = story(STORIES[rule])
    _, refused = fold(events)
    places = [events.index(event) for event in refused]
    assert [words[place] for place in places] == [word for word in words if word.startswith("!")]


def test_offers_are_counted() -> None:
    """Those ever sent, and those that are out."""
    snapshot, refused = fold(story(f"{OFFERED} O_SELECTED O_CANCELLED O_CREATED O_SENT"))
    assert (refused, snapshot.data.sent, snapshot.data.out, snapshot.data.taken) == ([], 2, 1, False)
    snapshot, refused = fold(story(f"{OFFERED} O_ACCEPTED"))
    assert (refused, snapshot.data.sent, snapshot.data.out, snapshot.data.taken) == ([], 1, 0, True)
    assert snapshot.data.item == Item.OFFERS


def test_every_usual_story_is_accepted() -> None:
    """The stories that other tests spoil are whole by themselves."""
    assert [fold(story(ending))[1] for ending in ENDINGS] == [[]] * len(ENDINGS)


@pytest.fixture(scope="module", name="traces")
def _traces(shared: Callable[[str], Path]) -> list[Trace]:
    return list(read(shared("data/bpic2012-first-8000.xes.gz")))


@pytest.mark.slow
def test_the_banks_own_log_keeps_the_rules(traces: list[Trace]) -> None:
    """At least 99 % of the events of applications and offers are accepted, and the outcomes are the log's own."""
    decisions, refused, outcomes = 0, 0, Counter[str]()
    for trace in traces:
        snapshot, not_taken = fold(sorted(trace.events, key=lambda event: event.at))
        decisions += sum(event.name[0] in "AO" for event in trace.events)
        refused += sum(event.name[0] in "AO" for event in not_taken)
        outcomes.update(name for name, states in OUTCOMES.items() if {s.name for s in states} & set(snapshot.visits))
    assert decisions > 50_000
    assert refused <= decisions / 100
    assert outcomes == {"approved": 1430, "declined": 4724, "cancelled": 1843}
    assert len(traces) - sum(outcomes.values()) == 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2012])
def test_a_spoilt_log_does_not(traces: list[Trace], seed: int) -> None:
    """The control: with two neighbouring A events of each case swapped, at least 90 % of the cases meet a refusal."""
    chance = random.Random(seed)
    spoilt = sum(bool(fold(swapped(trace.events, chance))[1]) for trace in traces)
    assert spoilt >= 0.9 * len(traces)


@pytest.mark.slow
def test_the_log_is_ordered_by_time_and_each_case_as_it_was(traces: list[Trace], shared: Callable[[str], Path]) -> None:
    """Nothing is lost on the way into one order over all cases."""
    log = Log.load(shared("data/bpic2012-first-8000.xes.gz"))
    assert (log.cases, len(log.steps)) == (8_000, 162_303)
    assert all(one.event.at <= two.event.at for one, two in pairwise(log.steps))
    of_case = dict[str, list[object]]()
    for step in log.steps:
        of_case.setdefault(step.case, []).append(step.event)
    assert of_case == {trace.case: list(trace.events) for trace in traces}
