"""The page of the Python API, from signatures and docstrings. The source is read, not imported."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

HEAD = """# Python API

Generated from docstrings by `make derived`.
"""

# Heading, and the modules below it: a package stands for all of its modules.
SECTIONS = (
    ("Train, load, act, evaluate, export", ("chorus/api",)),
    ("Environments", ("common/environments/interface.py", "common/environments/registry.py")),
    ("Errors", ("common/errors.py",)),
)
WIDTH = 100
LABEL = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):$", re.MULTILINE)


def page() -> str:
    """The whole page."""
    exported = _exported()
    text = HEAD
    for title, places in SECTIONS:
        sources = [path for place in places for path in _modules(ROOT / place)]
        parts = [_module(path, exported if path.parent == ROOT / "chorus" / "api" else None) for path in sources]
        if any(parts):
            text += f"\n## {title}\n" + "".join(parts)
    return text


def _modules(place: Path) -> list[Path]:
    return sorted(place.glob("*.py")) if place.is_dir() else [place] if place.exists() else []


def _exported() -> set[str]:
    """The names that `chorus` itself offers: its `__all__`."""
    for node in ast.parse((ROOT / "chorus" / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def _module(path: Path, only: set[str] | None) -> str:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    module = "chorus" if only is not None else f"chorus.{module}"
    text = ""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("_") or (only is not None and node.name not in only):
            continue
        text += _class(module, node) if isinstance(node, ast.ClassDef) else _function(f"{module}.{node.name}", node, 3)
    return text


def _class(module: str, node: ast.ClassDef) -> str:
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    text = f"\n### `{module}.{node.name}`\n\n```python\nclass {node.name}{f'({bases})' if bases else ''}\n```\n"
    text += _docstring(node)
    for member in node.body:
        if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and not member.name.startswith("_"):
            text += _function(f"{node.name}.{member.name}", member, 4)
    return text


def _function(name: str, node: ast.FunctionDef | ast.AsyncFunctionDef, level: int) -> str:
    decorators = "".join(f"@{ast.unparse(decorator)}\n" for decorator in node.decorator_list)
    opening = f"{'async ' * isinstance(node, ast.AsyncFunctionDef)}def {node.name}("
    closing = f"){f' -> {ast.unparse(node.returns)}' if node.returns else ''}"
    inside = ast.unparse(node.args)
    if len(opening + inside + closing) > WIDTH:
        inside = "\n" + "".join(f"    {argument},\n" for argument in _arguments(inside))
    return f"\n{'#' * level} `{name}`\n\n```python\n{decorators}{opening}{inside}{closing}\n```\n{_docstring(node)}"


def _arguments(inside: str) -> list[str]:
    """The arguments of a signature, cut at the commas outside all brackets and strings."""
    arguments, depth, quote = [""], 0, ""
    for letter in inside:
        if letter in "\"'" and quote in ("", letter):
            quote = "" if quote else letter
        depth += (letter in "([{") - (letter in ")]}") if not quote else 0
        if letter == "," and not depth and not quote:
            arguments.append("")
        else:
            arguments[-1] += letter
    return [argument.strip() for argument in arguments]


def _docstring(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Google's sections as lists; all else as it stands."""
    text = inspect.cleandoc(ast.get_docstring(node) or "")
    parts = LABEL.split(text)
    out = f"\n{parts[0].strip()}\n" if parts[0].strip() else ""
    for label, body in zip(parts[1::2], parts[2::2], strict=True):
        listed, _, rest = inspect.cleandoc("\n" + body).partition("\n\n")
        if label in ("Returns", "Yields"):
            out += f"\n**{label}**: {' '.join(listed.split())}\n"
        else:
            entries = [entry for entry in re.split(r"\n(?! )", listed) if entry.strip()]
            out += f"\n**{label}**\n\n" + "".join(f"- {_entry(entry)}\n" for entry in entries)
        out += f"\n{rest}\n" if rest.strip() else ""
    return out


def _entry(entry: str) -> str:
    name, colon, meaning = " ".join(entry.split()).partition(":")
    return f"`{name}`:{meaning}" if colon else " ".join(entry.split())
