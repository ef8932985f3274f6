"""The tables of a definition: ancestors, the transitions that may answer an event, what each leaves and enters.

All of it follows from the `Definition` alone, so it is computed once and kept with it. The set functions are those of
SCXML's appendix D (names in comments); results are remembered for each combination of leaves and transitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from statemachine.definition import Definition, Function, StateSpec, StepSpec, TimerSpec, TransitionSpec

ROOT = ""
REMEMBERED = 4096
"""How many combinations are remembered; a machine with more of them computes the rest again."""


@attrs.frozen(eq=False)
class Arc:
    """A transition with its functions looked up. `order` is its document order."""

    order: int
    source: str
    events: tuple[str, ...]
    targets: tuple[str, ...]
    internal: bool
    guard: Function | None
    guard_name: str
    actions: tuple[tuple[str, Function], ...]


@attrs.frozen(eq=False)
class Node:
    """A state with its place in the tree and its functions looked up. `ancestors` run from the parent to the top."""

    spec: StateSpec
    order: int
    ancestors: tuple[str, ...]
    children: tuple[str, ...]
    histories: tuple[str, ...]
    arcs: tuple[Arc, ...]
    initial: Arc | None
    default: Arc | None
    entry: tuple[tuple[tuple[str, Function], ...], ...]
    exit: tuple[tuple[tuple[str, Function], ...], ...]
    timers: tuple[TimerSpec, ...]
    step: StepSpec | None

    @property
    def quiet(self) -> bool:
        """Whether entering and leaving it are but a visit: nothing is run, set, begun or finished."""
        handlers = (*self.entry, *self.exit, *(self.initial.actions if self.initial else ()))
        return not (handlers or self.timers or self.step or self.spec.invokes or self.spec.kind == "final")


@attrs.frozen(eq=False)
class Plan:
    """What one microstep does to the configuration. Exits and entries are in the order in which they happen."""

    exits: tuple[str, ...]
    entries: tuple[str, ...]
    leaves: tuple[str, ...]
    remember: tuple[tuple[str, tuple[str, ...]], ...]
    default_entry: frozenset[str]
    history_content: Mapping[str, Arc]
    quiet: bool
    """Only visits end and begin: every state that is left or entered is quiet, and no history is remembered or used."""


class Chart:
    """The tables. Immutable in what it says; its memory of combinations grows up to a bound."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        functions = definition.code.functions
        self._order = {spec.name: order for order, spec in enumerate(definition.states)}
        parents = {spec.name: spec.parent for spec in definition.states}
        self.steps = {step.name: step for step in definition.steps}
        self.initial = _arc(-1, definition.initial, functions)
        arcs: dict[str, list[Arc]] = {}
        for order, transition in enumerate(definition.transitions):
            arcs.setdefault(transition.source, []).append(_arc(order, transition, functions))
        self.nodes: dict[str, Node] = {}
        for order, spec in enumerate(definition.states):
            below = [other for other in definition.states if other.parent == spec.name]
            self.nodes[spec.name] = Node(
                spec=spec,
                order=order,
                ancestors=_ancestors(spec.name, parents),
                children=tuple(other.name for other in below if other.kind != "history"),
                histories=tuple(other.name for other in below if other.kind == "history"),
                arcs=tuple(arcs.get(spec.name, ())),
                initial=_arc(-1, spec.initial, functions) if spec.initial else None,
                default=_arc(-1, spec.default, functions) if spec.default else None,
                entry=tuple(_named(block, functions) for block in spec.entry),
                exit=tuple(_named(block, functions) for block in spec.exit),
                timers=tuple(timer for timer in definition.timers if timer.state == spec.name),
                step=next((step for step in definition.steps if step.state == spec.name), None),
            )
        self.eventless = any(not transition.events for transition in definition.transitions)
        """Whether there is a transition that waits for no event."""
        self.options: dict[tuple[tuple[str, ...], str], tuple[Any, ...]] = {}
        self.ways: dict[tuple[tuple[str, ...], str], tuple[Any, ...]] = {}
        """What `plain` and `straight` remember of it."""
        self._candidates: dict[tuple[tuple[str, ...], str], tuple[tuple[Arc, ...], ...]] = {}
        self._plans: dict[tuple[tuple[Arc, ...], tuple[str, ...]], Plan] = {}
        self._undisputed: dict[tuple[tuple[Arc, ...], tuple[str, ...]], tuple[Arc, ...]] = {}
        self._domains: dict[int, str | None] = {}

    def within(self, state: str, ancestor: str) -> bool:
        """Whether `state` is a proper descendant of `ancestor`; the empty string is the whole machine."""
        return ancestor == ROOT or ancestor in self.nodes[state].ancestors

    def candidates(self, leaves: tuple[str, ...], event: str) -> tuple[tuple[Arc, ...], ...]:
        """For each active leaf, the transitions that `event` may trigger ("" is eventless), innermost state first."""
        key = (leaves, event)
        found = self._candidates.get(key)
        if found is None:
            chains = (
                tuple(
                    arc
                    for name in (leaf, *self.nodes[leaf].ancestors)
                    for arc in self.nodes[name].arcs
                    if self._triggers(arc, event)
                )
                for leaf in leaves
            )
            found = tuple(chain for chain in chains if chain)
            remember(self._candidates, key, found)
        return found

    def _triggers(self, arc: Arc, event: str) -> bool:
        if not event:
            return not arc.events
        if event in arc.events:
            return True
        return self.definition.descriptors and any(matches(descriptor, event) for descriptor in arc.events)

    def deferring(self, leaves: tuple[str, ...], event: str) -> str | None:
        """The active state that defers `event`, if one does."""
        for leaf in leaves:
            for name in (leaf, *self.nodes[leaf].ancestors):
                if event in self.nodes[name].spec.defer:
                    return name
        return None

    def exit_set(self, arc: Arc, leaves: tuple[str, ...], history: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
        """The active states that a transition leaves (computeExitSet)."""
        domain = self._domain(arc, history)
        if domain is None:
            return frozenset()
        return frozenset(
            name
            for leaf in leaves
            for name in (leaf, *self.nodes[leaf].ancestors)
            if name != domain and self.within(name, domain)
        )

    def without_conflicts(
        self, arcs: tuple[Arc, ...], leaves: tuple[str, ...], history: Mapping[str, tuple[str, ...]]
    ) -> tuple[Arc, ...]:
        """Of transitions that would leave the same state, the one from within the others' sources, else the earlier.

        (removeConflictingTransitions)
        """
        key = (arcs, leaves)
        kept = self._undisputed.get(key)
        if kept is None:
            kept = self._without_conflicts(arcs, leaves, history)
            if all(arc.order in self._domains or not arc.targets for arc in arcs):
                remember(self._undisputed, key, kept)
        return kept

    def _without_conflicts(
        self, arcs: tuple[Arc, ...], leaves: tuple[str, ...], history: Mapping[str, tuple[str, ...]]
    ) -> tuple[Arc, ...]:
        kept: list[Arc] = []
        leaving = {arc.order: self.exit_set(arc, leaves, history) for arc in arcs}
        for arc in arcs:
            rivals = [other for other in kept if leaving[arc.order] & leaving[other.order]]
            if all(self.within(arc.source, rival.source) for rival in rivals):
                kept = [other for other in kept if other not in rivals]
                kept.append(arc)
        return tuple(sorted(kept, key=lambda arc: arc.order))

    def plan(self, arcs: tuple[Arc, ...], leaves: tuple[str, ...], history: Mapping[str, tuple[str, ...]]) -> Plan:
        """What taking these transitions together leaves and enters."""
        key = (arcs, leaves)
        plan = self._plans.get(key)
        if plan is None:
            plan, lasting = self._plan(arcs, leaves, history)
            if lasting and (arcs[0].order >= 0 or arcs[0] is self.initial):
                remember(self._plans, key, plan)
        return plan

    def _plan(
        self, arcs: tuple[Arc, ...], leaves: tuple[str, ...], history: Mapping[str, tuple[str, ...]]
    ) -> tuple[Plan, bool]:
        """The plan, and whether it holds whatever the history says."""
        exits = frozenset[str]().union(*(self.exit_set(arc, leaves, history) for arc in arcs))
        domains = [self._domain(arc, history) for arc in arcs]
        remembered = self._remembered(exits, leaves)
        history = {**history, **dict(remembered)}
        entering = _Entering(self, history)
        for arc, domain in zip(arcs, domains, strict=True):
            if domain is not None:
                entering.follow(arc.targets, self._effective(arc.targets, history)[0], domain)
        kept = [leaf for leaf in leaves if leaf not in exits]
        entered = [name for name in entering.states if not self.nodes[name].children]
        plan = Plan(
            exits=tuple(sorted(exits, key=self._order.__getitem__, reverse=True)),
            entries=tuple(sorted(entering.states, key=self._order.__getitem__)),
            leaves=tuple(sorted({*kept, *entered}, key=self._order.__getitem__)),
            remember=remembered,
            default_entry=frozenset(entering.default_entry),
            history_content=entering.history_content,
            quiet=not (remembered or entering.used_history)
            and all(self.nodes[name].quiet for name in (*exits, *entering.states)),
        )
        return plan, not entering.used_history

    def _remembered(self, exits: frozenset[str], leaves: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        found: list[tuple[str, tuple[str, ...]]] = []
        for name in sorted(exits, key=self._order.__getitem__):
            for history in self.nodes[name].histories:
                inside = [leaf for leaf in leaves if self.within(leaf, name)]
                if self.nodes[history].spec.deep:
                    found.append((history, tuple(inside)))
                else:
                    active = {state for leaf in inside for state in (leaf, *self.nodes[leaf].ancestors)}
                    found.append((history, tuple(child for child in self.nodes[name].children if child in active)))
        return tuple(found)

    def _domain(self, arc: Arc, history: Mapping[str, tuple[str, ...]]) -> str | None:
        """The state all of whose active descendants are left (getTransitionDomain).

        None for a targetless transition.
        """
        if not arc.targets:
            return None
        if arc.order in self._domains:
            return self._domains[arc.order]
        targets, used_history = self._effective(arc.targets, history)
        domain = self._common(arc, targets)
        if not used_history and arc.order >= 0:
            self._domains[arc.order] = domain
        return domain

    def _common(self, arc: Arc, targets: tuple[str, ...]) -> str:
        if not arc.source:
            return ROOT
        source = self.nodes[arc.source]
        if arc.internal and source.spec.kind == "compound" and all(self.within(t, arc.source) for t in targets):
            return arc.source
        for name in source.ancestors:
            if self.nodes[name].spec.kind == "compound" and all(self.within(target, name) for target in targets):
                return name
        return ROOT

    def _effective(
        self, targets: Iterable[str], history: Mapping[str, tuple[str, ...]]
    ) -> tuple[tuple[str, ...], bool]:
        """Targets with history states replaced by what they stand for (getEffectiveTargetStates)."""
        found: list[str] = []
        used = False
        for target in targets:
            node = self.nodes[target]
            if node.spec.kind != "history":
                found.append(target)
                continue
            used = True
            if target in history:
                found.extend(history[target])
            elif node.default is not None:
                found.extend(self._effective(node.default.targets, history)[0])
        return tuple(dict.fromkeys(found)), used

    def in_final(self, state: str, active: Mapping[str, Any]) -> bool:
        """Whether a state is done: a final child is active, or every region is done (isInFinalState)."""
        node = self.nodes[state]
        if node.spec.kind == "compound":
            return any(child in active and self.nodes[child].spec.kind == "final" for child in node.children)
        if node.spec.kind == "parallel":
            return all(self.in_final(child, active) for child in node.children)
        return False


class _Entering:
    """Collects the states to enter (computeEntrySet, addDescendantStatesToEnter, addAncestorStatesToEnter).

    They lie inside the transition's domain, as those that are left do: a history of a state further out may stand for
    states in there, and then what is around the domain is active already and is not entered again (SCXML 3.13).
    """

    def __init__(self, chart: Chart, history: Mapping[str, tuple[str, ...]]) -> None:
        self._chart = chart
        self._nodes = chart.nodes
        self._history = history
        self._domain = ROOT
        self.states: dict[str, None] = {}
        self.default_entry: set[str] = set()
        self.history_content: dict[str, Arc] = {}
        self.used_history = False

    def follow(self, targets: Iterable[str], effective: Iterable[str], domain: str) -> None:
        self._domain = domain
        for target in targets:
            self._descend(target)
        for target in effective:
            self._climb(target, domain)

    def _descend(self, name: str) -> None:
        node = self._nodes[name]
        if node.spec.kind == "history":
            self._recall(node)
            return
        self.states[name] = None
        if node.spec.kind == "compound" and node.initial is not None:
            self.default_entry.add(name)
            for target in node.initial.targets:
                self._descend(target)
            for target in node.initial.targets:
                self._climb(target, name)
        elif node.spec.kind == "parallel":
            self._complete(node)

    def _recall(self, node: Node) -> None:
        self.used_history = True
        parent = node.spec.parent or ROOT
        targets = self._history.get(node.spec.name)
        if targets is None and node.default is not None:
            self.history_content[parent] = node.default
            targets = node.default.targets
        for target in targets or ():
            self._descend(target)
        for target in targets or ():
            self._climb(target, parent)

    def _climb(self, name: str, top: str) -> None:
        for ancestor in self._nodes[name].ancestors:
            if ancestor in {top, self._domain}:
                return
            self.states[ancestor] = None
            if self._nodes[ancestor].spec.kind == "parallel":
                self._complete(self._nodes[ancestor])

    def _complete(self, parallel: Node) -> None:
        for child in parallel.children:
            if not any(name == child or self._chart.within(name, child) for name in self.states):
                self._descend(child)


def chart_of(definition: Definition) -> Chart:
    """The definition's tables, computed at the first call."""
    chart: Chart | None = definition.tables.get("chart")
    if chart is None:
        chart = definition.tables["chart"] = Chart(definition)
    return chart


def matches(descriptor: str, event: str) -> bool:
    """Whether an SCXML event descriptor matches an event's name (SCXML 3.12.1): whole tokens, `*` for any."""
    plain = descriptor.removesuffix(".*").removesuffix(".")
    return plain in {"*", event} or event.startswith(plain + ".")


def _arc(order: int, spec: TransitionSpec, functions: Mapping[str, Function]) -> Arc:
    return Arc(
        order=order,
        source=spec.source,
        events=spec.events,
        targets=spec.targets,
        internal=spec.internal,
        guard=functions[spec.guard] if spec.guard else None,
        guard_name=spec.guard or "",
        actions=_named(spec.actions, functions),
    )


def _named(block: tuple[str, ...], functions: Mapping[str, Function]) -> tuple[tuple[str, Function], ...]:
    return tuple((name, functions[name]) for name in block)


def _ancestors(name: str, parents: Mapping[str, str | None]) -> tuple[str, ...]:
    found: list[str] = []
    parent = parents[name]
    while parent is not None:
        found.append(parent)
        parent = parents[parent]
    return tuple(found)


def remember(memory: dict[Any, Any], key: object, value: object) -> None:
    """Keep a value, within bounds."""
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[key] = value
