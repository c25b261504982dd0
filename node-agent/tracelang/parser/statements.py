"""Statements and blocks.

Every braced body is read the same way, into statements and perhaps a value (an expression at the end without `;`). What
stands around it decides what it becomes: a `Block` for probes and loops, a `BlockExpression` where a value is expected.
An `if` at the end of a block expression whose branches all have values is the block's value.
"""

from __future__ import annotations

from tracelang import nodes
from tracelang.diagnostics import Note
from tracelang.lexer import Token, TokenKind
from tracelang.parser.cursor import describe
from tracelang.parser.expressions import ExpressionParser
from tracelang.source import Span
from tracelang.structs import Struct
from tracelang.words import PROVIDERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_COMPOUND = frozenset(("+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="))
_NOT_STATEMENTS = frozenset(("else", "config", "import", "macro", "fn"))


class Body(Struct, frozen=True):
    """A braced body; `last_if` is set when its last statement is an `if` that could be its value."""

    span: Span
    statements: tuple[nodes.Statement, ...]
    value: nodes.Expression | None

    def block(self) -> nodes.Block:
        """As statements: a trailing expression is just one more."""
        if self.value is None:
            return nodes.Block(self.span, self.statements)
        last = nodes.ExpressionStatement(self.value.span, self.value)
        return nodes.Block(self.span, (*self.statements, last))

    def expression(self) -> nodes.BlockExpression:
        """As a value: a trailing `if` or block with values gives it."""
        if self.value is None and self.statements:
            value = _value_of(self.statements[-1])
            if value is not None:
                return nodes.BlockExpression(self.span, self.statements[:-1], value)
        return nodes.BlockExpression(self.span, self.statements, self.value)


def _value_of(statement: nodes.Statement) -> nodes.Expression | None:
    """The value of a trailing `if` or block; None when some branch has none."""
    match statement:
        case ValueIf(condition=condition, then_body=then_body, else_body=else_body):
            then, otherwise = then_body.expression(), else_body.expression()
            if then.value is None or otherwise.value is None:
                return None
            return nodes.Ternary(statement.span, condition, then, otherwise)
        case ValueBlock(body=body):
            inner = body.expression()
            return inner if inner.value is not None else None
        case _:
            return None


class ValueIf(nodes.If, frozen=True):
    """An `if` with an `else`, which may turn out to be a value; lives only while its block is being read."""

    then_body: Body
    else_body: Body


class ValueBlock(nodes.Block, frozen=True):
    """A block as the last statement, which may turn out to be a value."""

    body: Body


def _settled(statement: nodes.Statement) -> nodes.Statement:
    """The statement as the tree has it."""
    match statement:
        case ValueIf(span=span, condition=condition, then=then, otherwise=otherwise):
            return nodes.If(span, condition, then, otherwise)
        case ValueBlock(span=span, statements=statements):
            return nodes.Block(span, statements)
        case _:
            return statement


class StatementParser(ExpressionParser):
    """One method per statement."""

    def parse_block(self, where: str = "") -> nodes.Block:
        return _settled_block(self.parse_body(where).block())

    def parse_block_expression(self) -> nodes.BlockExpression:
        expression = self.parse_body().expression()
        statements = tuple(_settled(statement) for statement in expression.statements)
        return nodes.BlockExpression(expression.span, statements, expression.value)

    def parse_body(self, where: str = "") -> Body:
        """`{ statements }`; the last `;` is optional, and behind a closing brace too."""
        outside, self.in_predicate = self.in_predicate, False
        self.enter()
        start = self.open("{", where)
        statements: list[nodes.Statement] = []
        value: nodes.Expression | None = None
        while not self.at("}"):
            if self.accept(";"):
                continue
            self._check_statement_start()
            if statements:
                statements[-1] = _settled(statements[-1])
            statement = self.parse_statement()
            if self.at("}") and isinstance(statement, nodes.ExpressionStatement):
                value = statement.expression
                break
            statements.append(statement)
            if self.accept(";"):
                statements[-1] = self._ended(_settled(statements[-1]))
            elif not self.at("}") and self.previous.text != "}":
                self._fail_after_statement(statement)
        self.close("}")
        self.leave()
        self.in_predicate = outside
        return Body(self.since(start), tuple(statements), value)

    def _ended(self, statement: nodes.Statement) -> nodes.Statement:
        """The `;` of a call or a jump belongs to its statement."""
        match statement:
            case nodes.ExpressionStatement(span=span, expression=nodes.Call() as call):
                return nodes.ExpressionStatement(self.since(span), call)
            case nodes.Jump(span=span, kind=kind, value=value):
                return nodes.Jump(self.since(span), kind, value)
        return statement

    # --- what goes wrong between statements

    def _at_next_probe(self) -> bool:
        if self.token.kind is not TokenKind.IDENTIFIER or self.token.text not in PROVIDERS:
            return False
        following = self.peek()
        return following.text in (":", "{") or (
            following.text == "," and following.end < len(self.text) and self.text[following.end] == "\n"
        )

    def _fail_unclosed(self) -> NoReturn:
        opened = self.open_brackets[-1]
        self.fail(
            f"expected '}}' before the next probe, '{self.token.text}'",
            self.here(),
            notes=(Note(self.span_of(opened), "this '{' is open"),),
            hint="close the block with '}'",
        )

    def _check_statement_start(self) -> None:
        if self.at_kind(TokenKind.END):
            self.fail_here("expected '}'", hint="close the block with '}'")
        if self._at_next_probe():
            self._fail_unclosed()
        if self.at(*_NOT_STATEMENTS) and not self.next_is("("):
            word = self.token.text
            hint = "it needs an 'if' block right before it" if word == "else" else "it belongs outside of the braces"
            self.fail(f"'{word}' can't stand here", self.here(), hint=hint)

    def _fail_after_statement(self, statement: nodes.Statement) -> NoReturn:
        if self._at_next_probe():
            self._fail_unclosed()
        if self.at("="):
            self._fail_assignment(statement)
        if self.at_kind(TokenKind.END):
            self.fail_here("expected '}'", hint="close the block with '}'")
        if self.token.kind is TokenKind.INVALID:
            self.fail_here("")
        hint = ""
        expression = statement.expression if isinstance(statement, nodes.ExpressionStatement) else None
        if isinstance(expression, nodes.TypeExpression):
            hint = "a variable of a type is declared by let $x: type = value"
        elif isinstance(expression, nodes.Identifier):
            if self.token.kind in (TokenKind.STRING, TokenKind.INTEGER, TokenKind.VARIABLE, TokenKind.MAP):
                hint = f"to call a function write {expression.name}(...)"
            elif self.token.kind is TokenKind.IDENTIFIER:
                hint = f"a variable is made by $x = ... or let $x: type = ...; a call by {expression.name}(...)"
        elif self.token.kind is not TokenKind.PUNCTUATION:
            hint = "statements are separated by ';'"
        end = self.previous.end
        self.fail(f"expected ';' before {describe(self.token)}", Span(max(end - 1, 0), end, self.source), hint=hint)

    def _fail_assignment(self, statement: nodes.Statement) -> NoReturn:
        target = statement.expression if isinstance(statement, nodes.ExpressionStatement) else None
        self._fail_target(target, statement.span)

    def _fail_target(self, target: nodes.Expression | None, span: Span) -> NoReturn:
        match target:
            case nodes.FieldAccess() | nodes.TupleAccess() | nodes.Index():
                message = "fields and elements can't be assigned"
                hint = "make a new tuple or record and assign that"
            case nodes.Identifier(name=name):
                message = f"'{name}' can't be assigned"
                hint = f"a variable is written ${name}, a map @{name}"
            case _:
                message, hint = "only variables and maps can be assigned", ""
        self.fail(message, span, hint=hint)

    # --- statements

    def parse_statement(self) -> nodes.Statement:
        token = self.token
        if token.kind is TokenKind.PUNCTUATION and token.text == "{":
            body = self.parse_body()
            block = _settled_block(body.block())
            return ValueBlock(block.span, block.statements, body)
        if token.kind is TokenKind.IDENTIFIER:
            match token.text:
                case "if":
                    return self.parse_if()
                case "while":
                    return self._parse_while()
                case "unroll":
                    return self._parse_unroll()
                case "for":
                    return self._parse_for()
                case "let":
                    return self._parse_declare()
                case "break" | "continue" | "return":
                    return self._parse_jump()
                case "_" if self.next_is("="):
                    return self._parse_discard()
        return self._parse_simple()

    def _parse_simple(self) -> nodes.Statement:
        expression = self.parse_expression()
        if self.at("="):
            operator = ""
        elif self.token.text in _COMPOUND and self.token.kind is TokenKind.PUNCTUATION:
            operator = self.token.text[:-1]
        else:
            return nodes.ExpressionStatement(expression.span, expression)
        if not isinstance(expression, nodes.Variable | nodes.Map):
            self._fail_target(expression, expression.span)
        self.advance()
        value = self.parse_expression()
        if self.at("="):
            self.fail("an assignment has no value to assign on", self.here(), hint="write two assignments")
        return nodes.Assign(self.since(expression.span), expression, operator, value)

    def _parse_discard(self) -> nodes.Discard:
        start = self.advance()
        self.expect("=")
        value = self.parse_expression()
        return nodes.Discard(self.since(start), value)

    def _parse_declare(self) -> nodes.Declare:
        start = self.advance()
        if self.at_kind(TokenKind.MAP):
            self.fail("maps are declared outside of probes", self.here(), hint="move the line in front of all probes")
        if self.at_kind(TokenKind.IDENTIFIER):
            self.fail_here("expected a variable after 'let'", hint=f"a variable is written ${self.token.text}")
        variable = self.parse_variable("a variable after 'let'")
        type_ = self.parse_type() if self.accept(":") else None
        value = self.parse_expression() if self.accept("=") else None
        return nodes.Declare(self.since(start), variable, type_, value)

    def parse_variable(self, what: str) -> nodes.Variable:
        token = self.expect_kind(TokenKind.VARIABLE, what)
        return nodes.Variable(self.span_of(token), token.text[1:])

    def _parse_jump(self) -> nodes.Jump:
        start = self.advance()
        kind = nodes.JumpKind(start.text)
        value = None
        if kind is nodes.JumpKind.RETURN and not self.at(";", "}"):
            value = self.parse_expression()
        return nodes.Jump(self.since(start), kind, value)

    def parse_if(self) -> nodes.If:
        """`if cond {} else if cond {} else {}`, parentheses optional."""
        self.enter()
        start = self.advance()
        condition = self.parse_expression()
        self._check_assignment_in_condition()
        then_body = self.parse_body("after the condition")
        then = _settled_block(then_body.block())
        otherwise: nodes.Block | None = None
        else_body: Body | None = None
        if self.accept("else"):
            if self.at("if"):
                nested = self.parse_if()
                else_body = Body(nested.span, (nested,), None)
            else:
                if not self.at("{"):
                    self.fail_here("expected '{' or 'if' after 'else'")
                else_body = self.parse_body()
            otherwise = _settled_block(else_body.block())
        self.leave()
        if else_body is None:
            return nodes.If(self.since(start), condition, then, None)
        return ValueIf(self.since(start), condition, then, otherwise, then_body, else_body)

    def _check_assignment_in_condition(self) -> None:
        if self.at("="):
            self.fail("'=' assigns; it can't stand in a condition", self.here(), hint="compare with '=='")

    def parse_if_expression(self) -> nodes.Expression:
        """`if c { a } else { b }` as a value."""
        statement = self.parse_if()
        value = _value_of(statement)
        if value is None:
            self.fail(
                "this 'if' is used as a value, so it needs an 'else', and both blocks must end with a value",
                Span(statement.span.start, statement.span.start + 2, self.source),
                hint="the value is the last expression of a block, without ';'",
            )
        return value

    def _parse_while(self) -> nodes.While:
        start = self.advance()
        condition = self.parse_expression()
        self._check_assignment_in_condition()
        body = self.parse_block("after the condition")
        return nodes.While(self.since(start), condition, body)

    def _parse_unroll(self) -> nodes.Unroll:
        start = self.advance()
        count = self.parse_expression()
        body = self.parse_block("after the count")
        return nodes.Unroll(self.since(start), count, body)

    def _parse_for(self) -> nodes.ForMap | nodes.ForRange:
        """`for ($x : @map) {}` or `for ($i : start..end) {}`, parentheses optional."""
        start = self.advance()
        opened: Token | None = self.open("(") if self.at("(") else None
        variable = self.parse_variable("the loop's variable")
        self.expect(":", "after the loop's variable")
        first = self.parse_expression()
        end = None
        if self.accept(".."):
            end = self.parse_expression()
        elif not isinstance(first, nodes.Map) or first.keys is not None:
            self.fail("'for' goes over a whole map or a range", first.span, hint="as in @map or 0..10")
        if opened is not None:
            self.close(")")
        body = self.parse_block("after the head of 'for'")
        span = self.since(start)
        if end is not None:
            return nodes.ForRange(span, variable, first, end, body)
        assert isinstance(first, nodes.Map)
        return nodes.ForMap(span, variable, first, body)


def _settled_block(block: nodes.Block) -> nodes.Block:
    return nodes.Block(block.span, tuple(_settled(statement) for statement in block.statements))
