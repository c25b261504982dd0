"""The tree of a program as written: what the parser makes, the printer prints, and the passes read.

Every node is frozen and carries its span. Nothing here knows types or the kernel; see `ir` for the typed tree.
"""

from __future__ import annotations

from enum import Enum

from tracelang.source import Span
from tracelang.structs import Struct


class Node(Struct, frozen=True):
    span: Span


# --- expressions -----------------------------------------------------------------------------------------------


class Expression(Node, frozen=True):
    pass


class Integer(Expression, frozen=True):
    """`value` is the number; `text` how it was written (`0x10`, `1e6`, `10ms`); a duration suffix makes nanoseconds."""

    value: int
    text: str


class String(Expression, frozen=True):
    """`value` after escapes, one code point per byte above 0x7f as `\\xNN` wrote it (surrogateescape decoding)."""

    value: str


class Boolean(Expression, frozen=True):
    value: bool


class Identifier(Expression, frozen=True):
    """A bare name: a builtin (`pid`, `arg0`), an enum value, a macro or its parameter, or a #define'd name."""

    name: str


class PositionalParameter(Expression, frozen=True):
    """`$1`."""

    index: int


class PositionalCount(Expression, frozen=True):
    """`$#`."""


class Variable(Expression, frozen=True):
    """`$name`; `name` is without the dollar."""

    name: str


class Map(Expression, frozen=True):
    """`@name` or `@name[keys]`; `name` is without the at sign ("" for the anonymous `@`).

    `keys`: None for no brackets. `@a[1, 2]` has two keys, and `@a[(1, 2)]` one key that is a tuple: upstream treats
    them alike, so does the analyser.
    """

    name: str
    keys: tuple[Expression, ...] | None


class Call(Expression, frozen=True):
    """`f(a, b)`. Arguments may be expressions or, for sizeof-like functions, `TypeExpression`."""

    name: str
    arguments: tuple[Expression, ...]


class TypeExpression(Expression, frozen=True):
    """A type where an expression stands: `sizeof(struct foo)`, `typeof(x)`."""

    type: TypeName


class Binary(Expression, frozen=True):
    """`operator` is its spelling: + - * / % & | ^ << >> == != < <= > >= && ||."""

    operator: str
    left: Expression
    right: Expression


class Unary(Expression, frozen=True):
    """`operator`: - + ! ~ * (dereference) & (address of)."""

    operator: str
    operand: Expression


class Increment(Expression, frozen=True):
    """`++x`, `x--`: `step` is 1 or -1; `target` a Variable or Map (or an error later)."""

    target: Expression
    step: int
    postfix: bool


class FieldAccess(Expression, frozen=True):
    """`base.name` (`arrow` False) or `base->name`."""

    base: Expression
    name: str
    arrow: bool


class TupleAccess(Expression, frozen=True):
    """`base.0`."""

    base: Expression
    index: int


class Index(Expression, frozen=True):
    """`base[index]` on an array or pointer."""

    base: Expression
    index: Expression


class Cast(Expression, frozen=True):
    type: TypeName
    operand: Expression


class Sizeof(Expression, frozen=True):
    """`sizeof(x)`. A lone name (`sizeof(foo_t)`) is an Identifier here: it may be a typedef."""

    operand: TypeName | Expression


class Offsetof(Expression, frozen=True):
    """`offsetof(struct foo, a.b)`, or of an expression's struct type."""

    operand: TypeName | Expression
    fields: tuple[str, ...]


class Ternary(Expression, frozen=True):
    """`condition ? then : otherwise`; `then` None is the short form `a ?: b`.

    Also an `if` used as a value, whose branches are BlockExpressions.
    """

    condition: Expression
    then: Expression | None
    otherwise: Expression


class Tuple(Expression, frozen=True):
    elements: tuple[Expression, ...]


class Record(Expression, frozen=True):
    """`(a=1, b="x")`."""

    fields: tuple[tuple[str, Expression], ...]


class BlockExpression(Expression, frozen=True):
    """`{ statements; value }`: `value` None when the last statement ends with a semicolon (only as a statement)."""

    statements: tuple[Statement, ...]
    value: Expression | None


class Expansion(BlockExpression, frozen=True):
    """The body of a macro, where it was called."""

    call: Span


class Comptime(Expression, frozen=True):
    """`comptime expr`: must be known when compiling."""

    operand: Expression


# --- type names ------------------------------------------------------------------------------------------------


class TypeName(Node, frozen=True):
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


class Statement(Node, frozen=True):
    pass


class ExpressionStatement(Statement, frozen=True):
    expression: Expression


class Assign(Statement, frozen=True):
    """`target op= value`; `operator` is "" for plain `=` or the arithmetic operator of a compound assignment.

    target: Variable or Map; the parser refuses anything else, as upstream does.
    """

    target: Expression
    operator: str
    value: Expression


class Declare(Statement, frozen=True):
    """`let $x`, `let $x: uint64`, `let $x = value`, `let $x: T = value`."""

    variable: Variable
    type: TypeName | None
    value: Expression | None


class Discard(Statement, frozen=True):
    """`_ = expr`."""

    value: Expression


class Block(Statement, frozen=True):
    statements: tuple[Statement, ...]


class ExpandedBlock(Block, frozen=True):
    """An Expansion that is a statement."""

    call: Span


class If(Statement, frozen=True):
    condition: Expression
    then: Block
    otherwise: Block | None  # `else if` is a Block of one If


class While(Statement, frozen=True):
    condition: Expression
    body: Block


class Unroll(Statement, frozen=True):
    count: Expression
    body: Block


class ForMap(Statement, frozen=True):
    """`for ($kv : @map) {}`."""

    variable: Variable
    map: Map
    body: Block


class ForRange(Statement, frozen=True):
    """`for ($i : start..end) {}`."""

    variable: Variable
    start: Expression
    end: Expression
    body: Block


class JumpKind(Enum):
    BREAK = "break"
    CONTINUE = "continue"
    RETURN = "return"


class Jump(Statement, frozen=True):
    kind: JumpKind
    value: Expression | None = None


# --- top level -------------------------------------------------------------------------------------------------


class AttachPoint(Node, frozen=True):
    """One probe as written. `parts` are the colon-separated fields after quotes, `provider` the first of them.

    `text` is the whole of it; positional parameters (`$1`) in it are already replaced. What the fields mean is the
    provider's business.
    """

    provider: str
    parts: tuple[str, ...]
    text: str


class Probe(Node, frozen=True):
    attach_points: tuple[AttachPoint, ...]
    predicate: Expression | None
    body: Block
    name: str = ""  # `name = probe {}`: reserved


class MacroParameterKind(Enum):
    VARIABLE = "variable"
    MAP = "map"
    EXPRESSION = "expression"


class MacroParameter(Node, frozen=True):
    kind: MacroParameterKind
    name: str


class Macro(Node, frozen=True):
    name: str
    parameters: tuple[MacroParameter, ...]
    body: BlockExpression


class ConfigEntry(Node, frozen=True):
    name: str
    value: int | str | bool


class MapDeclaration(Node, frozen=True):
    """`let @name = hash(100);`: kind is the written word (hash, lruhash, percpuhash, percpulruhash...)."""

    name: str
    kind: str
    max_entries: int


class Import(Node, frozen=True):
    path: str


# C definitions in the preamble: struct, union, enum, typedef; fields as written.


class CField(Node, frozen=True):
    """A member: `type name`, `type name[4]`, `type name : 3`; an anonymous struct or union has name ""."""

    name: str
    type: TypeName
    bits: int | None = None
    inline: CStruct | CEnum | None = None  # struct { ... } name;


class CStruct(Node, frozen=True):
    kind: str  # "struct" or "union"
    name: str
    fields: tuple[CField, ...]
    packed: bool = False


class CEnum(Node, frozen=True):
    name: str
    variants: tuple[tuple[str, int], ...]


class CTypedef(Node, frozen=True):
    name: str
    type: TypeName
    inline: CStruct | CEnum | None = None


class CInclude(Node, frozen=True):
    path: str
    system: bool  # <path> or "path"


class CDefine(Node, frozen=True):
    """`#define NAME text`, or with `parameters` `#define NAME(a, b) text`."""

    name: str
    text: str
    parameters: tuple[str, ...] | None = None


CDefinition = CStruct | CEnum | CTypedef | CInclude | CDefine


class Subprogram(Node, frozen=True):
    """`fn name($a: int64, $b: string): int64 { ... }`."""

    name: str
    parameters: tuple[tuple[str, TypeName], ...]
    result: TypeName
    body: Block


class Program(Node, frozen=True):
    c_definitions: tuple[CDefinition, ...]
    config: tuple[ConfigEntry, ...]
    imports: tuple[Import, ...]
    map_declarations: tuple[MapDeclaration, ...]
    macros: tuple[Macro, ...]
    subprograms: tuple[Subprogram, ...]
    probes: tuple[Probe, ...]
