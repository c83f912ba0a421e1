"""The reference pages are those of the code, and say what a reader looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from chorus.commands.parser import COMMANDS
from chorus.common.settings.reference import sections
from chorus.protos.chorus.v1 import rollout_pb2
from docs.generate.markdown import sentence
from docs.generate.pages import PAGES
from docs.generate.wire import blocks

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", PAGES)
def test_a_generated_page_is_that_of_the_code(path: str) -> None:
    assert (ROOT / path).read_text() == PAGES[path](), "make derived"


def test_every_setting_and_every_command_is_there() -> None:
    settings = PAGES["docs/reference/settings.md"]()
    for section in sections():
        for setting in section.settings:
            assert f"| `{setting.name}` | {setting.kind} |" in settings
    commands = PAGES["docs/reference/commands.md"]()
    for name, module in COMMANDS.items():
        assert f"## chorus {name}\n" in commands
        assert all(line in commands for _, line in module.EXAMPLES)
    assert "%(" not in commands, "a default that was not filled in"


def test_the_page_of_the_contract_has_every_field_of_every_message() -> None:
    page = PAGES["docs/reference/wire.md"]()
    for name, message in rollout_pb2.DESCRIPTOR.message_types_by_name.items():
        _, _, section = page.partition(f"## message {name}\n")
        section = section.partition("\n## ")[0]
        assert section
        for field in message.fields:
            assert f"| {field.number} | `{field.name}` |" in section, f"{name}.{field.name}"
    for service in rollout_pb2.DESCRIPTOR.services_by_name.values():
        assert all(f"| `{method.name}` |" in page for method in service.methods)


def test_a_comment_belongs_to_what_it_stands_beside() -> None:
    (message,) = blocks(
        [
            "// Of the whole.",
            "message Some {",
            "  uint32 first = 1;  // of the first,",
            "                     // and on",
            "  // Of the second.",
            "  oneof kind {",
            "    map<string, uint64> second = 2;",
            "  }",
            "  string third = 3;",
            "}",
        ]
    )
    assert message.comment == ["Of the whole."]
    assert message.rows == [
        ["1", "`first`", "`uint32`", "of the first, and on"],
        ["2", "`second`", "`map<string, uint64>`", ""],
        ["3", "`third`", "`string`", ""],
    ]


def test_a_name_keeps_its_first_letter() -> None:
    assert sentence("weight of it") == "Weight of it"
    assert sentence("loss.entropy, a weight") == "loss.entropy, a weight"
    assert sentence("`none`: nothing") == "`none`: nothing"
