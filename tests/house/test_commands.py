"""Every command is documented, as it is."""

from __future__ import annotations

from statemachine.cli.app import commands
from tests.house.commands import BEGIN, PAGE, reference


def test_the_reference_says_what_the_commands_say() -> None:
    """A command, an option or a sentence that changed is not in the page until it is written anew."""
    _, _, written = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    assert written.strip() == reference().strip(), "run python -m tests.house.commands"


def test_each_command_speaks_json_to_a_program() -> None:
    """But for those that make a document of a form of its own, and the one that serves pages."""
    silent = {
        name
        for name, command in commands.commands.items()
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert silent == {"diagram", "export", "serve"}
