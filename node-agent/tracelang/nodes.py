"""The tree of a program as written: what the parser makes, the printer prints, and the passes read.

Every node is frozen and carries its span. Nothing here knows types or the kernel; see `ir` for the typed tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tracelang.source import Span


@dataclass(frozen=True, slots=True)
class Node:
    span: Span


# --- expressions -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expression(Node):
    pass


@dataclass(frozen=True, slots=True)
class Integer(Expression):
    """`value` is the number; `text` how it was written (`0x10`, `1e6`, `10ms`); a duration suffix makes nanoseconds."""

    value: int
    text: str


@dataclass(frozen=True, slots=True)
class String(Expression):
    """`value` after escapes, one code point per byte above 0x7f as `\\xNN` wrote it (surrogateescape decoding)."""

    value: str


@dataclass(frozen=True, slots=True)
class Boolean(Expression):
    value: bool


@dataclass(frozen=True, slots=True)
class Identifier(Expression):
    """A bare name: a builtin (`pid`, `arg0`), an enum value, a macro or its parameter, or a #define'd name."""

    name: str


@dataclass(frozen=True, slots=True)
class PositionalParameter(Expression):
    """`$1`."""

    index: int


@dataclass(frozen=True, slots=True)
class PositionalCount(Expression):
    """`$#`."""


@dataclass(frozen=True, slots=True)
class Variable(Expression):
    """`$name`; `name` is without the dollar."""

    name: str


@dataclass(frozen=True, slots=True)
class Map(Expression):
    """`@name` or `@name[keys]`; `name` is without the at sign ("" for the anonymous `@`).

    `keys`: None for no brackets. `@a[1, 2]` has two keys, and `@a[(1, 2)]` one key that is a tuple: upstream treats
    them alike, so does the analyser.
    """

    name: str
    keys: tuple[Expression, ...] | None


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """`f(a, b)`. Arguments may be expressions or, for sizeof-like functions, `TypeExpression`."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class TypeExpression(Expression):
    """A type where an expression stands: `sizeof(struct foo)`, `typeof(x)`."""

    type: TypeName


@dataclass(frozen=True, slots=True)
class Binary(Expression):
    """`operator` is its spelling: + - * / % & | ^ << >> == != < <= > >= && ||."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Unary(Expression):
    """`operator`: - + ! ~ * (dereference) & (address of)."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Increment(Expression):
    """`++x`, `x--`: `step` is 1 or -1; `target` a Variable or Map (or an error later)."""

    target: Expression
    step: int
    postfix: bool


@dataclass(frozen=True, slots=True)
class FieldAccess(Expression):
    """`base.name` (`arrow` False) or `base->name`."""

    base: Expression
    name: str
    arrow: bool


@dataclass(frozen=True, slots=True)
class TupleAccess(Expression):
    """`base.0`."""

    base: Expression
    index: int


@dataclass(frozen=True, slots=True)
class Index(Expression):
    """`base[index]` on an array or pointer."""

    base: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Cast(Expression):
    type: TypeName
    operand: Expression


@dataclass(frozen=True, slots=True)
class Sizeof(Expression):
    """`sizeof(x)`. A lone name (`sizeof(foo_t)`) is an Identifier here: it may be a typedef."""

    operand: TypeName | Expression


@dataclass(frozen=True, slots=True)
class Offsetof(Expression):
    """`offsetof(struct foo, a.b)`, or of an expression's struct type."""

    operand: TypeName | Expression
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ternary(Expression):
    """`condition ? then : otherwise`; `then` None is the short form `a ?: b`.

    Also an `if` used as a value, whose branches are BlockExpressions.
    """

    condition: Expression
    then: Expression | None
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Tuple(Expression):
    elements: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Record(Expression):
    """`(a=1, b="x")`."""

    fields: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class BlockExpression(Expression):
    """`{ statements; value }`: `value` None when the last statement ends with a semicolon (only as a statement)."""

    statements: tuple[Statement, ...]
    value: Expression | None


@dataclass(frozen=True, slots=True)
class Comptime(Expression):
    """`comptime expr`: must be known when compiling."""

    operand: Expression


# --- type names ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TypeName(Node):
    """A type as written: `struct foo *`, `uint64`, `int8[4]`, `string[16]`, `typeof(expr)`, `(int64, string)`.

    name: the base name, words joined by one blank ("struct foo", "unsigned long", "uint64", "string").
    pointers: number of `*` after it. dimensions: array sizes in writing order (None: `[]`).
    parameter: the bracket number of sized types (string[N], buffer[N], inet[N]).
    """

    name: str
    pointers: int = 0
    dimensions: tuple[int | None, ...] = ()
    parameter: int | None = None
    elements: tuple[TypeName, ...] = ()  # of a tuple type
    of: Expression | None = None  # typeof(of): name is "typeof"; a tuple type's name is "tuple"


# --- statements ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Statement(Node):
    pass


@dataclass(frozen=True, slots=True)
class ExpressionStatement(Statement):
    expression: Expression


@dataclass(frozen=True, slots=True)
class Assign(Statement):
    """`target op= value`; `operator` is "" for plain `=` or the arithmetic operator of a compound assignment.

    target: Variable or Map; the parser refuses anything else, as upstream does.
    """

    target: Expression
    operator: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Declare(Statement):
    """`let $x`, `let $x: uint64`, `let $x = value`, `let $x: T = value`."""

    variable: Variable
    type: TypeName | None
    value: Expression | None


@dataclass(frozen=True, slots=True)
class Discard(Statement):
    """`_ = expr`."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Block(Statement):
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class If(Statement):
    condition: Expression
    then: Block
    otherwise: Block | None  # `else if` is a Block of one If


@dataclass(frozen=True, slots=True)
class While(Statement):
    condition: Expression
    body: Block


@dataclass(frozen=True, slots=True)
class Unroll(Statement):
    count: Expression
    body: Block


@dataclass(frozen=True, slots=True)
class ForMap(Statement):
    """`for ($kv : @map) {}`."""

    variable: Variable
    map: Map
    body: Block


@dataclass(frozen=True, slots=True)
class ForRange(Statement):
    """`for ($i : start..end) {}`."""

    variable: Variable
    start: Expression
    end: Expression
    body: Block


class JumpKind(Enum):
    BREAK = "break"
    CONTINUE = "continue"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Jump(Statement):
    kind: JumpKind
    value: Expression | None = None


# --- top level -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AttachPoint(Node):
    """One probe as written. `parts` are the colon-separated fields after quotes, `provider` the first of them.

    `text` is the whole of it; positional parameters (`$1`) in it are already replaced. What the fields mean is the
    provider's business.
    """

    provider: str
    parts: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Probe(Node):
    attach_points: tuple[AttachPoint, ...]
    predicate: Expression | None
    body: Block
    name: str = ""  # `name = probe {}`: reserved


class MacroParameterKind(Enum):
    VARIABLE = "variable"
    MAP = "map"
    EXPRESSION = "expression"


@dataclass(frozen=True, slots=True)
class MacroParameter(Node):
    kind: MacroParameterKind
    name: str


@dataclass(frozen=True, slots=True)
class Macro(Node):
    name: str
    parameters: tuple[MacroParameter, ...]
    body: BlockExpression


@dataclass(frozen=True, slots=True)
class ConfigEntry(Node):
    name: str
    value: int | str | bool


@dataclass(frozen=True, slots=True)
class MapDeclaration(Node):
    """`let @name = hash(100);`: kind is the written word (hash, lruhash, percpuhash, percpulruhash...)."""

    name: str
    kind: str
    max_entries: int


@dataclass(frozen=True, slots=True)
class Import(Node):
    path: str


# C definitions in the preamble: struct, union, enum, typedef; fields as written.


@dataclass(frozen=True, slots=True)
class CField(Node):
    """A member: `type name`, `type name[4]`, `type name : 3`; an anonymous struct or union has name ""."""

    name: str
    type: TypeName
    bits: int | None = None
    inline: CStruct | CEnum | None = None  # struct { ... } name;


@dataclass(frozen=True, slots=True)
class CStruct(Node):
    kind: str  # "struct" or "union"
    name: str
    fields: tuple[CField, ...]
    packed: bool = False


@dataclass(frozen=True, slots=True)
class CEnum(Node):
    name: str
    variants: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class CTypedef(Node):
    name: str
    type: TypeName
    inline: CStruct | CEnum | None = None


@dataclass(frozen=True, slots=True)
class CInclude(Node):
    path: str
    system: bool  # <path> or "path"


@dataclass(frozen=True, slots=True)
class CDefine(Node):
    """`#define NAME text`, or with `parameters` `#define NAME(a, b) text`."""

    name: str
    text: str
    parameters: tuple[str, ...] | None = None


CDefinition = CStruct | CEnum | CTypedef | CInclude | CDefine


@dataclass(frozen=True, slots=True)
class Subprogram(Node):
    """`fn name($a: int64, $b: string): int64 { ... }`."""

    name: str
    parameters: tuple[tuple[str, TypeName], ...]
    result: TypeName
    body: Block


@dataclass(frozen=True, slots=True)
class Program(Node):
    c_definitions: tuple[CDefinition, ...]
    config: tuple[ConfigEntry, ...]
    imports: tuple[Import, ...]
    map_declarations: tuple[MapDeclaration, ...]
    macros: tuple[Macro, ...]
    subprograms: tuple[Subprogram, ...]
    probes: tuple[Probe, ...]
