"""Whole programs: the preamble's items and the probes, and going on after a mistake."""

from __future__ import annotations

from tracelang import nodes
from tracelang.diagnostics import Diagnostic, Diagnostics, Severity
from tracelang.lexer import TokenKind
from tracelang.parser.c_definitions import CParser
from tracelang.parser.cursor import SyntaxProblem
from tracelang.source import Span
from tracelang.structs import Struct, field

MAXIMUM_MISTAKES = 20
"""Nobody reads more."""


class _Items(Struct):
    """What a program consists of, collected in any order."""

    c_definitions: list[nodes.CDefinition] = field(default_factory=list)
    config: list[nodes.ConfigEntry] = field(default_factory=list)
    imports: list[nodes.Import] = field(default_factory=list)
    map_declarations: list[nodes.MapDeclaration] = field(default_factory=list)
    macros: list[nodes.Macro] = field(default_factory=list)
    subprograms: list[nodes.Subprogram] = field(default_factory=list)
    probes: list[nodes.Probe] = field(default_factory=list)


class ProgramParser(CParser):
    """The start rule, and one method per top-level item."""

    def __init__(self, text: str, source: int, positional: tuple[str, ...], diagnostics: Diagnostics) -> None:
        super().__init__(text, source, positional)
        self.diagnostics = diagnostics
        self.items = _Items()
        self.config_span: Span | None = None

    def parse_program(self, directives: tuple[nodes.CInclude | nodes.CDefine, ...]) -> nodes.Program:
        self.items.c_definitions.extend(directives)
        self.known_values.update(item.name for item in directives if isinstance(item, nodes.CDefine))
        self._learn_constants(directives)
        while not self.at_kind(TokenKind.END):
            start = self.token.start
            try:
                self._parse_item()
            except SyntaxProblem as problem:
                self._report(problem)
                if len(self.diagnostics.items) >= MAXIMUM_MISTAKES or not self._recover(start, problem.span):
                    break
        items = self.items
        return nodes.Program(
            Span(0, len(self.text), self.source),
            tuple(items.c_definitions),
            tuple(items.config),
            tuple(items.imports),
            tuple(items.map_declarations),
            tuple(items.macros),
            tuple(items.subprograms),
            tuple(items.probes),
        )

    def _learn_constants(self, directives: tuple[nodes.CInclude | nodes.CDefine, ...]) -> None:
        """#defines that are plain numbers may be array sizes."""
        for item in directives:
            if isinstance(item, nodes.CDefine) and item.parameters is None:
                inner = CParser(item.text, self.source)
                inner.constants = self.constants
                try:
                    value = inner.parse_constant()
                except SyntaxProblem:
                    continue
                if inner.at_kind(TokenKind.END):
                    self.constants[item.name] = value

    def _report(self, problem: SyntaxProblem) -> None:
        self.diagnostics.items.append(
            Diagnostic(Severity.ERROR, problem.span, problem.message, problem.hint, problem.notes)
        )

    def _recover(self, start: int, problem: Span) -> bool:
        """Go on behind the broken item's braces; False when they don't match, for then all else would be a guess."""
        self.depth = 0
        self.in_predicate = False
        self.open_brackets.clear()
        level = 0
        token = self.lexer.at(start)
        while token.kind not in (TokenKind.END, TokenKind.INVALID):
            if token.kind is TokenKind.PUNCTUATION and token.text in "{}":
                level += 1 if token.text == "{" else -1
                if level <= 0:
                    if token.end <= problem.start or level < 0:
                        return False
                    self.jump(token.end)
                    return True
            token = self.peek(token)
        return False

    # --- items

    def _parse_item(self) -> None:
        items = self.items
        following = self.peek()
        match self.token.text if self.at_kind(TokenKind.IDENTIFIER) else "":
            case "config" if following.text in ("=", "{"):
                self._parse_config()
            case "let":
                items.map_declarations.append(self._parse_map_declaration())
            case "macro" if following.kind is TokenKind.IDENTIFIER:
                items.macros.append(self._parse_macro())
            case "import" if following.text not in (":", "{"):
                items.imports.append(self._parse_import())
            case "fn" if following.kind is TokenKind.IDENTIFIER:
                items.subprograms.append(self._parse_subprogram())
            case _ if self.at_c_definition():
                items.c_definitions.extend(self.parse_c_definition())
            case _ if self.at(";"):
                self.advance()
            case _ if self.at("}"):
                self.fail("this '}' closes nothing", self.here(), hint="remove it, or open a block with '{'")
            case _:
                items.probes.append(self.parse_probe())

    def _parse_config(self) -> None:
        start = self.advance()
        if self.config_span is not None:
            self.fail("there is a config block already", self.span_of(start), hint="put all settings in one block")
        self.config_span = self.span_of(start)
        self.expect("=", "after 'config'")
        self.open("{")
        while not self.at("}"):
            self.items.config.append(self._parse_config_entry())
            if not self.accept(";"):
                break
        self.close("}", hint="settings are separated by ';'")

    def _parse_config_entry(self) -> nodes.ConfigEntry:
        name = self.expect_kind(TokenKind.IDENTIFIER, "the name of a setting")
        self.expect("=", f"after '{name.text}'")
        value: int | str | bool
        match self.token.kind:
            case TokenKind.INTEGER:
                value = self.advance().number
            case TokenKind.STRING:
                value = self.advance().string
            case TokenKind.IDENTIFIER:
                word = self.advance().text
                value = word == "true" if word in ("true", "false") else word
            case _:
                self.fail_here("expected a number, a string, a word, true or false")
        return nodes.ConfigEntry(self.since(name), name.text, value)

    def _parse_map_declaration(self) -> nodes.MapDeclaration:
        """`let @name = lruhash(100);`"""
        start = self.advance()
        if self.at_kind(TokenKind.VARIABLE):
            self.fail(
                "variables are declared inside of probes", self.here(), hint="maps live outside: let @name = hash(100);"
            )
        name = self.expect_kind(TokenKind.MAP, "a map after 'let'")
        self.expect("=", f"after '{name.text}'", hint="as in let @name = hash(100);")
        kind = self.expect_kind(TokenKind.IDENTIFIER, "the kind of map: hash, lruhash, percpuhash ...")
        self.open("(", f"after '{kind.text}'")
        size = self.expect_kind(TokenKind.INTEGER, "the number of entries")
        self.close(")")
        self.accept(";")
        return nodes.MapDeclaration(self.since(start), name.text[1:], kind.text, size.number)

    def _parse_import(self) -> nodes.Import:
        start = self.advance()
        path = self.expect_kind(TokenKind.STRING, "a path in quotes after 'import'")
        self.expect(";", "after the import")
        return nodes.Import(self.since(start), path.string)

    def _parse_macro(self) -> nodes.Macro:
        """`macro name($variable, @map, expression) { body }`"""
        start = self.advance()
        name = self.expect_kind(TokenKind.IDENTIFIER, "the name of the macro")
        self.open("(", "after the name of the macro")
        parameters: list[nodes.MacroParameter] = []
        while not self.at(")"):
            parameters.append(self._parse_macro_parameter(parameters))
            if not self.accept(","):
                break
            if self.at(")"):
                self.fail_here("expected a parameter after ','")
        self.close(")", hint="parameters are $variable, @map or a bare name")
        outer = set(self.known_values)
        self.known_values.update(p.name for p in parameters if p.kind is nodes.MacroParameterKind.EXPRESSION)
        if not self.at("{"):
            self.fail_here(f"expected '{{' with the body of macro '{name.text}'")
        body = self.parse_block_expression()
        self.known_values = outer
        return nodes.Macro(self.since(start), name.text, tuple(parameters), body)

    def _parse_macro_parameter(self, known: list[nodes.MacroParameter]) -> nodes.MacroParameter:
        kinds = {
            TokenKind.VARIABLE: nodes.MacroParameterKind.VARIABLE,
            TokenKind.MAP: nodes.MacroParameterKind.MAP,
            TokenKind.IDENTIFIER: nodes.MacroParameterKind.EXPRESSION,
        }
        kind = kinds.get(self.token.kind)
        if kind is None:
            self.fail_here("expected a parameter: $variable, @map or a bare name")
        token = self.advance()
        name = token.text.lstrip("$@")
        if any(parameter.name == name and parameter.kind is kind for parameter in known):
            self.fail(f"the parameter '{token.text}' is there twice", self.span_of(token))
        return nodes.MacroParameter(self.span_of(token), kind, name)

    def _parse_subprogram(self) -> nodes.Subprogram:
        """`fn name($a: int64): int64 { body }`"""
        start = self.advance()
        name = self.expect_kind(TokenKind.IDENTIFIER, "the name of the function")
        self.open("(", "after the name of the function")
        parameters: list[tuple[str, nodes.TypeName]] = []
        while not self.at(")"):
            variable = self.expect_kind(TokenKind.VARIABLE, "a parameter, as in $a: int64")
            self.expect(":", f"and a type after '{variable.text}'")
            parameters.append((variable.text[1:], self.parse_type()))
            if not self.accept(","):
                break
        self.close(")")
        self.expect(":", "and the type of the result")
        result = self.parse_type()
        body = self.parse_block()
        return nodes.Subprogram(self.since(start), name.text, tuple(parameters), result, body)
