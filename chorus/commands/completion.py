"""Completion by the shell: `eval "$(register-python-argcomplete chorus)"` asks for it."""

from __future__ import annotations

import argparse
import os

ASKED = "_ARGCOMPLETE"
"""The variable that the shell sets when it asks for completions; without it nothing is imported here."""


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell and end the process, if it is the shell that asks."""
    if ASKED not in os.environ:
        return
    import argcomplete

    from chorus.common.settings.reference import sections

    settings = {f"{setting.name}=": setting.meaning for section in sections() for setting in section.settings}
    for command in _commands(parser):
        for action in command._actions:
            if "--set" in action.option_strings:
                action.completer = argcomplete.completers.ChoicesCompleter(settings)  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser)


def _commands(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return [command for group in groups for command in group.choices.values()]
