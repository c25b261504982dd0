"""The words with a meaning of their own: keywords, type names, and the names that are certainly values.

One place for what lexing and parsing must know by spelling. Functions and probe types are not here: the parser takes
any name, so that the analyser can say what it might have been.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEYWORDS = _words(
    "break config continue else for if import let macro offsetof return sizeof unroll while fn comptime typeof"
)
"""Reserved in expressions; fine as the name of a field."""

C_TYPE_WORDS = _words("char short int long signed unsigned void float double _Bool")
"""Words of which C makes types; several may follow one another."""

TAG_WORDS = frozenset(("struct", "union", "enum"))

QUALIFIERS = frozenset(("const", "volatile", "restrict"))

SIZED_TYPE_WORDS = frozenset(("string", "buffer", "inet"))
"""Types whose bracket number is a size in bytes, not an array dimension."""

INTEGER_TYPE_WORDS = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)) | {"bool"}

AGGREGATE_TYPE_WORDS = frozenset(
    f"{sign}{kind}_t" for sign in ("", "u") for kind in ("min", "max", "sum", "count", "avg", "stats")
)

OTHER_TYPE_WORDS = _words(
    """timestamp macaddr_t cgroup_path_t strerror_t username_t ustack_t kstack_t usym_t ksym_t hist_t lhist_t
    tseries_t"""
)

CAST_TYPE_WORDS = (
    C_TYPE_WORDS | TAG_WORDS | QUALIFIERS | SIZED_TYPE_WORDS | INTEGER_TYPE_WORDS | AGGREGATE_TYPE_WORDS
) | OTHER_TYPE_WORDS
"""A name in parentheses that is certainly a type, so that `(name)` before an operand is a cast."""

EXPRESSION_TYPE_WORDS = C_TYPE_WORDS | TAG_WORDS | INTEGER_TYPE_WORDS
"""Names that stand for a type wherever an expression is expected."""

BUILTIN_VALUES = _words(
    """args cgroup comm cpid cpu ctx curtask elapsed func gid jiffies kstack leader_comm ncpus nsecs numaid pcomm pid
    ppid probe probetype rand retval tid uid username usermode ustack pod container namespace node workload arg sarg"""
)
"""Builtins: in `(pid) - 1` the parentheses hold a value, although `(name) - 1` else casts."""

PROVIDERS = _words(
    """BEGIN END begin end asyncwatchpoint aw bench fentry fexit f fr hardware h interval i iter it kfunc kretfunc
    kprobe k kretprobe kr profile p rawtracepoint rt self software s test tracepoint t uprobe u uretprobe ur usdt U
    watchpoint w"""
)
"""Spellings of the probe types, for telling where the next probe starts in a broken program."""


def is_builtin_value(name: str) -> bool:
    """Whether `name` is a builtin variable: listed, or `argN` / `sargN`."""
    return name in BUILTIN_VALUES or name.rstrip("0123456789") in ("arg", "sarg")
