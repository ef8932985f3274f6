"""The public names, frozen: one that comes or goes is a decision, and shows in the diff of this file."""

from __future__ import annotations

import types

import persistence
import statemachine
import statemachine.runner
import statemachine.testing

PUBLIC: dict[str, str] = {
    "statemachine": """
        Call Compound Event Parallel Runner State Workflow after joined on step transaction
    """,
    "statemachine.runner": """
        Runner
    """,
    "statemachine.testing": """
    """,
    "persistence": """
        Journal
    """,
}


def test_the_public_names_are_these() -> None:
    """`__all__` of each public package is what is written here."""
    packages: list[types.ModuleType] = [statemachine, statemachine.runner, statemachine.testing, persistence]
    declared = {package.__name__: sorted(package.__all__) for package in packages}
    assert declared == {name: sorted(names.split()) for name, names in PUBLIC.items()}


def test_nothing_public_is_undeclared() -> None:
    """A name without underscore that a package binds, apart from its own modules, is in its `__all__`."""
    packages: list[types.ModuleType] = [statemachine, statemachine.runner, statemachine.testing, persistence]
    undeclared = {
        package.__name__: sorted(
            name
            for name, value in vars(package).items()
            if not name.startswith("_")
            and name not in package.__all__
            and not isinstance(value, types.ModuleType)
            and name != "annotations"
        )
        for package in packages
    }
    assert undeclared == {package.__name__: [] for package in packages}


def test_every_public_thing_explains_itself() -> None:
    """Each public class and function has a docstring of its own."""
    packages: list[types.ModuleType] = [statemachine, statemachine.runner, statemachine.testing, persistence]
    wordless = [
        f"{package.__name__}.{name}"
        for package in packages
        for name in package.__all__
        if isinstance(value := getattr(package, name), (type, types.FunctionType)) and not value.__doc__
    ]
    assert wordless == []
