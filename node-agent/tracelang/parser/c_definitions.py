"""C declarations: struct, union, enum and typedef, from a program's preamble or from a header that it includes.

Two manners. In a program, what isn't understood is an error. In a header (`parse_header`), declarations that aren't
types (prototypes, variables, inline functions) are skipped up to their `;` or closing brace.
"""

from __future__ import annotations

from tracelang import nodes
from tracelang.constants import constant_value
from tracelang.lexer import Token, TokenKind
from tracelang.parser.cursor import SyntaxProblem
from tracelang.parser.probes import ProbeParser
from tracelang.source import Span
from tracelang.words import C_TYPE_WORDS, QUALIFIERS, TAG_WORDS

_FUNCTION_POINTER = "void"


class CParser(ProbeParser):
    """Rules for C declarations. `constants`: enum values and #defined numbers known so far, for array sizes."""

    def __init__(self, text: str, source: int = 0, positional: tuple[str, ...] = ()) -> None:
        super().__init__(text, source, positional)
        self.constants: dict[str, int] = {}

    def at_c_definition(self) -> bool:
        if self.at("typedef"):
            return True
        if not self.at(*TAG_WORDS):
            return False
        following = self.peek()
        return following.text == "{" or following.kind is TokenKind.IDENTIFIER

    def parse_c_definition(self) -> tuple[nodes.CDefinition, ...]:
        """One declaration; () for a forward declaration. The `;` behind it is optional, as upstream has it."""
        if self.at("typedef"):
            definitions = self._parse_typedefs()
        else:
            definition = self._parse_tagged()
            definitions = () if definition is None else (definition,)
        self.accept(";")
        return definitions

    def _parse_tagged(self) -> nodes.CStruct | nodes.CEnum | None:
        """`struct a { ... }`, `enum { ... }`; None for `struct a;`."""
        start = self.advance()
        packed = self._skip_attributes()
        name = self.advance().text if self.at_kind(TokenKind.IDENTIFIER) else ""
        if not self.at("{"):
            if name and self.at(";"):
                return None
            self.fail_here(f"expected '{{' after '{start.text} {name}'")
        if start.text == "enum":
            return self._parse_enum_body(start, name)
        return self._parse_struct_body(start, name, packed)

    def _parse_struct_body(self, start: Token, name: str, packed: bool) -> nodes.CStruct:
        self.enter()
        self.open("{")
        fields: list[nodes.CField] = []
        while not self.at("}"):
            fields.extend(self._parse_fields())
            if not self.accept(";") and not self.at("}"):
                self.fail_here("expected ';' after the field")
            while self.accept(";"):
                pass
        self.close("}")
        self.leave()
        packed = self._skip_attributes() or packed
        return nodes.CStruct(self.since(start), start.text, name, tuple(fields), packed)

    def _parse_enum_body(self, start: Token, name: str) -> nodes.CEnum:
        self.open("{")
        variants: list[tuple[str, int]] = []
        following = 0
        while not self.at("}"):
            variant = self.expect_kind(TokenKind.IDENTIFIER, "the name of an enum value")
            value = self.parse_constant() if self.accept("=") else following
            variants.append((variant.text, value))
            self.constants[variant.text] = value
            following = value + 1
            if not self.accept(","):
                break
        self.close("}")
        self._skip_attributes()
        return nodes.CEnum(self.since(start), name, tuple(variants))

    def parse_constant(self) -> int:
        expression = self.parse_ternary()
        value = constant_value(expression, self.constants)
        if value is None:
            self.fail("this must be a constant number", expression.span)
        return value

    # --- members

    def _parse_specifier(self) -> tuple[nodes.TypeName, nodes.CStruct | nodes.CEnum | None]:
        """The type in front of declarators; the definition too where it stands inline."""
        start = self.here()
        self._skip_qualifiers()
        self._skip_attributes()
        if self.at(*TAG_WORDS):
            brace = self.peek()
            if brace.kind is TokenKind.IDENTIFIER:
                brace = self.peek(brace)
            if brace.text == "{":
                inline = self._parse_tagged()
                if inline is not None:
                    tag = inline.kind if isinstance(inline, nodes.CStruct) else "enum"
                    return nodes.TypeName(self.since(start), name=f"{tag} {inline.name}".rstrip()), inline
        return self._parse_base(start), None

    def _parse_base(self, start: Span) -> nodes.TypeName:
        word = self.expect_kind(TokenKind.IDENTIFIER, "the type of a field")
        words = [word.text]
        if word.text in TAG_WORDS:
            words.append(self.expect_kind(TokenKind.IDENTIFIER, f"the name of the {word.text}").text)
        elif word.text in C_TYPE_WORDS:
            while self.at_kind(TokenKind.IDENTIFIER) and self.token.text in C_TYPE_WORDS | QUALIFIERS:
                words.append(self.advance().text)
        return nodes.TypeName(self.since(start), name=" ".join(part for part in words if part not in QUALIFIERS))

    def _parse_fields(self) -> list[nodes.CField]:
        """One member declaration: `int a, *b[2]`, `unsigned c : 3`, `struct { ... };`."""
        start = self.here()
        base, inline = self._parse_specifier()
        if inline is not None and self.at(";", "}"):
            return [nodes.CField(self.since(start), "", base, None, inline)]
        fields: list[nodes.CField] = []
        while True:
            name, type_ = self.parse_declarator(base)
            bits = self.parse_constant() if self.accept(":") else None
            self._skip_attributes()
            fields.append(nodes.CField(self.since(start), name, type_, bits, inline))
            if not self.accept(","):
                return fields

    def parse_declarator(self, base: nodes.TypeName) -> tuple[str, nodes.TypeName]:
        """`*name[4]` or `(*name)(...)`: the name, and the type that it gets."""
        start = self.here()
        pointers = base.pointers
        self._skip_qualifiers()
        while self.accept("*"):
            pointers += 1
            self._skip_qualifiers()
        self._skip_attributes()
        if self.at("("):
            return self._parse_function_pointer(start)
        name = self.advance().text if self.at_kind(TokenKind.IDENTIFIER) else ""
        if not name and not self.at(":"):
            self.fail_here("expected the name of a field")
        dimensions: tuple[int | None, ...] = ()
        while self.at("["):
            self.open("[")
            size = None if self.at("]") else self.parse_constant()
            if size is not None and size < 0:
                self.fail("an array can't have a negative size", self.since(start))
            dimensions += (size,)
            self.close("]")
        span = base.span.to(self.since(start))
        return name, nodes.TypeName(span, base.name, pointers, dimensions)

    def _parse_function_pointer(self, start: Span) -> tuple[str, nodes.TypeName]:
        self.open("(")
        pointers = 0
        while self.accept("*"):
            pointers += 1
            self._skip_qualifiers()
        name = self.advance().text if self.at_kind(TokenKind.IDENTIFIER) else ""
        dimensions: tuple[int | None, ...] = ()
        while self.at("["):
            self.open("[")
            dimensions += (None if self.at("]") else self.parse_constant(),)
            self.close("]")
        self.close(")")
        if self.at("("):
            self._skip_parentheses()
        return name, nodes.TypeName(self.since(start), _FUNCTION_POINTER, max(pointers, 1), dimensions)

    def _parse_typedefs(self) -> tuple[nodes.CDefinition, ...]:
        start = self.advance()
        base, inline = self._parse_specifier()
        definitions: list[nodes.CDefinition] = []
        if inline is not None and inline.name:
            definitions.append(inline)
        while True:
            name, type_ = self.parse_declarator(base)
            if not name:
                self.fail_here("expected the name of the typedef")
            if self.at("("):  # a function type: only useful behind a pointer
                self._skip_parentheses()
                type_ = nodes.TypeName(type_.span, _FUNCTION_POINTER)
            self._skip_attributes()
            unnamed = inline if inline is not None and not inline.name else None
            definitions.append(nodes.CTypedef(self.since(start), name, type_, unnamed))
            if not self.accept(","):
                return tuple(definitions)

    # --- skipping

    def _skip_attributes(self) -> bool:
        """`__attribute__((...))`, `__packed`; whether one of them packs."""
        packed = False
        while self.at_kind(TokenKind.IDENTIFIER):
            if self.at("__packed"):
                self.advance()
                packed = True
            elif self.at("__attribute__", "_Alignas", "__aligned"):
                self.advance()
                begin = self.token.start
                self._skip_parentheses()
                packed = packed or "packed" in self.text[begin : self.previous.end]
            else:
                break
        return packed

    def _skip_parentheses(self) -> None:
        level = 0
        opened = self.here()
        while not self.at_kind(TokenKind.END):
            taken = self.advance()
            if taken.kind is TokenKind.PUNCTUATION:
                level += (taken.text == "(") - (taken.text == ")")
            if level == 0:
                return
        self.fail("this parenthesis is never closed", opened)

    def parse_header(self) -> tuple[nodes.CDefinition, ...]:
        """All type definitions of a header; what is none, or isn't understood, is skipped."""
        definitions: list[nodes.CDefinition] = []
        while not self.at_kind(TokenKind.END):
            begin = self.token
            depth = self.depth
            try:
                if self.at_c_definition():
                    found = self.parse_c_definition()
                    definitions.extend(found)
                    if found and self.previous.text in (";", "}"):
                        continue
                    if self.previous.text == ";":
                        continue
            except SyntaxProblem:
                self.depth = depth
                self.open_brackets.clear()
                self.jump(begin.start)
            self._skip_declaration()
        return tuple(definitions)

    def _skip_declaration(self) -> None:
        """Up to a `;` outside of all brackets, or behind a closing brace."""
        level = 0
        while not self.at_kind(TokenKind.END):
            taken = self.token
            self.previous = taken
            self.token = self.lexer.at(max(taken.end, taken.start + 1))
            if taken.kind is TokenKind.PUNCTUATION:
                level += (taken.text in "([{") - (taken.text in ")]}")
                if level <= 0 and (taken.text == ";" or (taken.text == "}" and not self.at(";"))):
                    return
