"""templates/*.j2 to Python, by jinja2, once for all: `make generate` writes `compiled_templates.py`, a test compares.

Templates only lay out values that the generator made: nothing in them is executed for a program's sake.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import jinja2

HERE = Path(__file__).parent
TARGET = HERE / "compiled_templates.py"
_HEAD = '''"""Made from templates/*.j2 by `make generate`: jinja2's translation of them. Not to be edited."""

from tracelang.codegen.template_runtime import Undefined, environment, missing
'''


def jinja_environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # C, not HTML; every value is made by the generator
    )


def compiled_templates() -> str:
    """The module's text."""
    environment = jinja_environment()
    names = sorted(environment.list_templates(extensions=["j2"]))
    functions = {name: re.sub(r"\W", "_", name.removesuffix(".j2")) for name in names}
    parts = [_HEAD]
    for name, function in functions.items():
        source = environment.compile(Path(HERE / "templates" / name).read_text(), name=name, raw=True)
        parts.append(_root(source).replace("def root(", f"def {function}(", 1))
    table = "".join(f'    "{name}": {function},\n' for name, function in functions.items())
    return "\n\n".join([*parts, f"TEMPLATES = {{\n{table}}}\n"])


def _root(source: str) -> str:
    """The function that writes the template's text; jinja2 puts imports and tables around it."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == "root":
            return ast.unparse(node)
    raise ValueError("jinja2 made no function of that template")


if __name__ == "__main__":
    TARGET.write_text(compiled_templates())
