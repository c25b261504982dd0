"""Expressions, by precedence climbing; C's operators with C's precedence.

Ambiguities, and what is decided here:
- `(name) operand` is a cast unless `name` is a builtin, a macro parameter or a #define, where `-`, `*` and `&` behind
  it are binary operators;
- in a predicate, the `/` before `{` closes it (`in_predicate`);
- `{ ... }` where a value is expected is a block expression.
"""

from __future__ import annotations

from tracelang import nodes
from tracelang.lexer import Token, TokenKind
from tracelang.parser.cursor import describe
from tracelang.parser.types import TypeParser
from tracelang.recursion import MAXIMUM_CHAIN
from tracelang.words import CAST_TYPE_WORDS, EXPRESSION_TYPE_WORDS, KEYWORDS, TAG_WORDS, is_builtin_value

_LEVELS = (("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", "<=", ">", ">="), ("<<", ">>"), ("+", "-"))
PRECEDENCE = {operator: level for level, operators in enumerate(_LEVELS, start=1) for operator in operators} | {
    "*": 10,
    "/": 10,
    "%": 10,
}

_OPERAND_KINDS = frozenset(
    (
        TokenKind.IDENTIFIER,
        TokenKind.INTEGER,
        TokenKind.STRING,
        TokenKind.VARIABLE,
        TokenKind.MAP,
        TokenKind.POSITIONAL,
        TokenKind.COUNT,
    )
)
_OPERAND_STARTS = frozenset(("(", "!", "~", "-", "*", "&", "++", "--"))


class ExpressionParser(TypeParser):
    """One method per rule, from the loosest to the tightest."""

    def __init__(self, text: str, source: int = 0) -> None:
        super().__init__(text, source)
        self.in_predicate = False
        self.known_values: set[str] = set()  # names that certainly aren't types: macro parameters, #defines

    def parse_block_expression(self) -> nodes.BlockExpression:
        raise NotImplementedError  # StatementParser's

    def parse_if_expression(self) -> nodes.Expression:
        raise NotImplementedError  # StatementParser's

    def parse_expression(self) -> nodes.Expression:
        self.enter()
        expression = self.parse_ternary()
        self.leave()
        return expression

    def parse_ternary(self) -> nodes.Expression:
        condition = self.parse_binary(1)
        if not self.accept("?"):
            return condition
        then = None if self.at(":") else self.parse_expression()
        self.expect(":", "between the two values of '?'")
        otherwise = self.parse_expression()
        return nodes.Ternary(condition.span.to(otherwise.span), condition, then, otherwise)

    def parse_binary(self, minimum: int) -> nodes.Expression:
        left = self.parse_unary()
        length = 0
        while True:
            operator = self.token
            level = PRECEDENCE.get(operator.text, 0) if operator.kind is TokenKind.PUNCTUATION else 0
            if level < minimum or level == 0 or self._closes_predicate():
                return left
            self.advance()
            right = self.parse_binary(level + 1)
            left = nodes.Binary(left.span.to(right.span), operator.text, left, right)
            length += 1
            if length > MAXIMUM_CHAIN:
                self.fail(f"a row of more than {MAXIMUM_CHAIN} operators", self.span_of(operator))

    def _closes_predicate(self) -> bool:
        return self.in_predicate and self.token.text == "/" and self.next_is("{")

    def parse_unary(self) -> nodes.Expression:
        start = self.token
        if start.kind is TokenKind.PUNCTUATION:
            match start.text:
                case "-" | "!" | "~" | "*" | "&":
                    return self._parse_prefix(start)
                case "++" | "--":
                    return self._parse_prefix_step(start)
                case "(" if self._at_cast():
                    return self._parse_cast(start)
        if self.at("comptime"):
            self.enter()
            self.advance()
            operand = self.parse_unary()
            self.leave()
            return nodes.Comptime(self.since(start), operand)
        return self.parse_postfix()

    def _parse_prefix(self, start: Token) -> nodes.Expression:
        self.enter()
        self.advance()
        operand = self.parse_unary()
        self.leave()
        if start.text == "&" and not isinstance(operand, nodes.Variable | nodes.Map):
            self.fail("'&' takes the address of a variable or a map only", operand.span)
        return nodes.Unary(self.since(start), start.text, operand)

    def _parse_prefix_step(self, start: Token) -> nodes.Expression:
        self.enter()
        self.advance()
        target = self.parse_unary()
        self.leave()
        self._check_step_target(target, start.text)
        return nodes.Increment(self.since(start), target, 1 if start.text == "++" else -1, postfix=False)

    def _check_step_target(self, target: nodes.Expression, operator: str) -> None:
        if not isinstance(target, nodes.Variable | nodes.Map):
            hint = (
                "builtins can't be changed; copy it to a variable first" if isinstance(target, nodes.Identifier) else ""
            )
            self.fail(f"'{operator}' changes a variable or a map only", target.span, hint=hint)

    # --- casts

    def _at_cast(self) -> bool:
        first = self.peek()
        end = self.scan_type(first)
        if end is None or end.text != ")" or end.kind is not TokenKind.PUNCTUATION:
            return False
        following = self.peek(end)
        operand = following.kind in _OPERAND_KINDS or (
            following.kind is TokenKind.PUNCTUATION and following.text in _OPERAND_STARTS
        )
        certain = first.text in CAST_TYPE_WORDS or first.text == "typeof" or self.peek(first).text != ")"
        if certain:
            return operand or following.text == "{"
        if is_builtin_value(first.text) or first.text in self.known_values:
            return operand and following.kind is not TokenKind.PUNCTUATION
        return operand

    def _parse_cast(self, start: Token) -> nodes.Expression:
        self.enter()
        self.advance()
        type_ = self.parse_type()
        self.expect(")", "after the type of a cast")
        operand = self.parse_unary()
        self.leave()
        return nodes.Cast(self.since(start), type_, operand)

    # --- postfix

    def parse_postfix(self) -> nodes.Expression:
        expression = self.parse_primary()
        length = 0
        while self.token.kind is TokenKind.PUNCTUATION:
            match self.token.text:
                case "." | "->":
                    expression = self._parse_member(expression)
                case "[":
                    self.open("[")
                    index = self._parse_inside()
                    self.close("]")
                    expression = nodes.Index(self.since(expression.span), expression, index)
                case "++" | "--" as operator:
                    self._check_step_target(expression, operator)
                    self.advance()
                    step = 1 if operator == "++" else -1
                    return nodes.Increment(self.since(expression.span), expression, step, postfix=True)
                case _:
                    return expression
            length += 1
            if length > MAXIMUM_CHAIN:
                self.fail(f"a row of more than {MAXIMUM_CHAIN} accesses", expression.span)
        return expression

    def _parse_member(self, base: nodes.Expression) -> nodes.Expression:
        arrow = self.advance().text == "->"
        if self.at_kind(TokenKind.INTEGER) and self.token.text.isdecimal() and not arrow:
            if len(self.token.text) > 9:
                self.fail_here("expected the number of a tuple's element")
            index = int(self.advance().text)
            return nodes.TupleAccess(self.since(base.span), base, index)
        name = self.expect_kind(TokenKind.IDENTIFIER, "the name of a field")
        return nodes.FieldAccess(self.since(base.span), base, name.text, arrow)

    def _parse_inside(self) -> nodes.Expression:
        """An expression inside brackets: there a '/' never closes the predicate."""
        outside, self.in_predicate = self.in_predicate, False
        expression = self.parse_expression()
        self.in_predicate = outside
        return expression

    # --- primary

    def parse_primary(self) -> nodes.Expression:
        token = self.token
        span = self.here()
        match token.kind:
            case TokenKind.INTEGER:
                self.advance()
                return nodes.Integer(span, token.number, token.text)
            case TokenKind.STRING:
                self.advance()
                return nodes.String(span, token.string)
            case TokenKind.VARIABLE:
                self.advance()
                return nodes.Variable(span, token.text[1:])
            case TokenKind.POSITIONAL:
                self.advance()
                return nodes.PositionalParameter(span, token.number)
            case TokenKind.COUNT:
                self.advance()
                return nodes.PositionalCount(span)
            case TokenKind.MAP:
                return self.parse_map()
            case TokenKind.IDENTIFIER:
                return self._parse_word(token)
            case TokenKind.PUNCTUATION if token.text == "(":
                return self._parse_parentheses(token)
            case TokenKind.PUNCTUATION if token.text == "{":
                return self.parse_block_expression()
        hint = "the sign '+' isn't needed" if token.text == "+" else ""
        return self.fail_here("expected an expression", hint=hint)

    def parse_map(self) -> nodes.Map:
        token = self.expect_kind(TokenKind.MAP, "a map")
        if not self.at("["):
            return nodes.Map(self.span_of(token), token.text[1:], None)
        self.open("[")
        keys = self._parse_list("]", "a key of the map")
        self.close("]")
        return nodes.Map(self.since(token), token.text[1:], keys)

    def _parse_list(self, end: str, what: str) -> tuple[nodes.Expression, ...]:
        """Expressions with commas between them, at least one."""
        items = [self._parse_inside()]
        while not self.at(end):
            if self.accept(","):
                if self.at(end):
                    self.fail_here(f"expected {what} after ','")
                items.append(self._parse_inside())
                continue
            if self.token.kind in _OPERAND_KINDS:
                self.fail(
                    f"expected ',' or '{end}', found {describe(self.token)}",
                    self.here(),
                    hint=f"is a ',' missing before {describe(self.token)}?",
                )
            break
        return tuple(items)

    def _parse_word(self, token: Token) -> nodes.Expression:
        match token.text:
            case "true" | "false":
                self.advance()
                return nodes.Boolean(self.span_of(token), token.text == "true")
            case "sizeof":
                return self._parse_sizeof()
            case "offsetof":
                return self._parse_offsetof()
            case "typeof":
                type_ = self.parse_typeof()
                return nodes.TypeExpression(self.since(token), type_)
            case "if":
                return self.parse_if_expression()
        if token.text in KEYWORDS and token.text != "config":  # config() is a function too
            self.fail_here("expected an expression")
        if token.text in EXPRESSION_TYPE_WORDS and (token.text not in TAG_WORDS or self.at_type_word()):
            type_ = self.parse_type()
            return nodes.TypeExpression(self.since(token), type_)
        self.advance()
        if not self.at("("):
            return nodes.Identifier(self.span_of(token), token.text)
        self.open("(")
        arguments = () if self.at(")") else self._parse_list(")", "an argument")
        self.close(")")
        return nodes.Call(self.since(token), token.text, arguments)

    def _parse_sizeof(self) -> nodes.Sizeof:
        start = self.advance()
        self.open("(", "after 'sizeof'")
        operand = self.parse_type_or_expression()
        self.close(")")
        return nodes.Sizeof(self.since(start), operand)

    def _parse_offsetof(self) -> nodes.Offsetof:
        start = self.advance()
        self.open("(", "after 'offsetof'")
        operand = self.parse_type_or_expression()
        self.expect(",", "and a field after the struct")
        fields = [self.expect_kind(TokenKind.IDENTIFIER, "the name of a field").text]
        while self.accept("."):
            fields.append(self.expect_kind(TokenKind.IDENTIFIER, "the name of a field").text)
        self.close(")")
        return nodes.Offsetof(self.since(start), operand, tuple(fields))

    def _parse_parentheses(self, start: Token) -> nodes.Expression:
        """`(x)`, `(1, 2)`, `(1,)`, `()`, or a record `(a=1, b=2)`."""
        self.open("(")
        if self.at(")"):
            self.close(")")
            return nodes.Tuple(self.since(start), ())
        if self.at_kind(TokenKind.IDENTIFIER) and self.next_is("="):
            return self._parse_record(start)
        first = self._parse_inside()
        if self.at(")"):
            self.close(")")
            return first
        elements = [first]
        while self.accept(","):
            if self.at(")"):
                break
            elements.append(self._parse_inside())
        self.close(")")
        return nodes.Tuple(self.since(start), tuple(elements))

    def _parse_record(self, start: Token) -> nodes.Record:
        fields: list[tuple[str, nodes.Expression]] = []
        while True:
            name = self.expect_kind(TokenKind.IDENTIFIER, "the name of a field")
            self.expect("=", "after the name of a field")
            if any(name.text == known for known, _ in fields):
                self.fail(f"the field '{name.text}' is there twice", self.span_of(name))
            fields.append((name.text, self._parse_inside()))
            if not self.accept(",") or self.at(")"):
                break
        self.close(")")
        return nodes.Record(self.since(start), tuple(fields))
