"""Rust's names made readable: "_RNvCs1234_4shop4work" and "_ZN4shop4work17h0123456789abcdefE" -> "shop::work".

Both manglings: the newer one (RFC 2603), a grammar of paths and types with references back into itself, and the older
one, which looks like C++'s with a hash at the end. A name comes from a traced binary and may be anything: what doesn't
parse, nests too deep or grows too long is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_DEEPEST = 100
_LONGEST = 4096
_BASIC_TYPES = {
    "a": "i8", "b": "bool", "c": "char", "d": "f64", "e": "str", "f": "f32", "h": "u8", "i": "isize", "j": "usize",
    "l": "i32", "m": "u32", "n": "i128", "o": "u128", "p": "_", "s": "i16", "t": "u16", "u": "()", "v": "...",
    "x": "i64", "y": "u64", "z": "!",
}  # fmt: skip
_LEGACY = re.compile(r"_ZN(?P<parts>.+)17h[0-9a-f]{16}E(?:\.llvm\.[0-9A-F]+|\.cold|\.part\.\d+)*$")
_ESCAPES = {
    "$SP$": "@", "$BP$": "*", "$RF$": "&", "$LT$": "<", "$GT$": ">", "$LP$": "(", "$RP$": ")", "$C$": ",", "..": "::",
}  # fmt: skip
_ESCAPE = re.compile(r"\$u(?P<code>[0-9a-f]{1,6})\$|\$[A-Z]{1,2}\$|\.\.")


def demangle_rust(name: str) -> str | None:
    """None when it isn't Rust's."""
    if name.startswith("_R"):
        return _demangle_v0(name)
    match = _LEGACY.match(name)
    return _demangle_legacy(match["parts"]) if match else None


# --- the older mangling ---------------------------------------------------------------------------------------------


def _demangle_legacy(text: str) -> str | None:
    parts = []
    while text:
        digits = re.match(r"\d+", text)
        if not digits:
            return None
        end = digits.end() + int(digits[0])
        if end > len(text):
            return None
        parts.append(_unescape(text[digits.end() : end]))
        text = text[end:]
    return "::".join(parts) or None


def _unescape(part: str) -> str:
    # An identifier can't begin with an escape, so the compiler puts an underscore in front.
    text = part[1:] if part.startswith("_$") else part

    def character(match: re.Match[str]) -> str:
        if match["code"]:
            code = int(match["code"], 16)
            return chr(code) if 0x20 <= code < 0x110000 else match[0]
        return _ESCAPES.get(match[0], match[0])

    return _ESCAPE.sub(character, text)


# --- the newer one --------------------------------------------------------------------------------------------------


class _MangledError(Exception):
    """Not a name of this mangling."""


def _demangle_v0(name: str) -> str | None:
    text = name[2:].partition(".")[0]  # behind the dot: what LLVM appended
    try:
        return _Reader(text).path(is_value=True) or None
    except (_MangledError, ValueError, OverflowError):
        return None


class _Reader:
    """One method for each rule of the grammar; each reads at `_at` and gives back what it stands for."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._written = 0
        self._lifetimes = 0

    # --- characters and numbers

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise _MangledError
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, char: str) -> bool:
        if self._text[self._at : self._at + 1] != char:
            return False
        self._at += 1
        return True

    def _base_62(self) -> int:
        if self._take("_"):
            return 0
        value = 0
        while (char := self._next()) != "_":
            if not char.isascii() or not char.isalnum():
                raise _MangledError
            digit = ord(char) - 48 if char.isdigit() else ord(char) - (87 if char.islower() else 29)
            value = value * 62 + digit
        return value + 1

    def _optional_62(self, tag: str) -> int:
        return self._base_62() + 1 if self._take(tag) else 0

    def _decimal(self) -> int:
        if self._take("0"):
            return 0  # no digit of a length follows a zero
        start = self._at
        while self._text[self._at : self._at + 1].isdigit():
            self._at += 1
        if start == self._at or self._at - start > 6:
            raise _MangledError
        return int(self._text[start : self._at])

    def _identifier(self) -> tuple[str, int]:
        """The name, and the number that tells it from others of the same name."""
        number = self._optional_62("s")
        return self._plain_identifier(), number

    def _plain_identifier(self) -> str:
        is_punycode = self._take("u")
        length = self._decimal()
        self._take("_")
        text = self._text[self._at : self._at + length]
        if len(text) != length:
            raise _MangledError
        self._at += length
        if is_punycode:
            head, _, tail = text.rpartition("_")
            text = f"{head}-{tail}".lstrip("-").encode().decode("punycode")
        return text

    # --- what bounds a hostile name

    def _again(self, rule: Callable[[], str]) -> str:
        """A reference: the rule read anew at an earlier place."""
        start = self._at - 1
        target = self._base_62()
        if target >= start:
            raise _MangledError
        here, self._at = self._at, target
        result = rule()
        self._at = here
        return result

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _MangledError

    def _leave(self, text: str) -> str:
        self._depth -= 1
        self._written += len(text)
        if self._written > _LONGEST * 8 or len(text) > _LONGEST:
            raise _MangledError
        return text

    # --- paths

    def path(self, *, is_value: bool = False) -> str:
        """is_value: of a function, whose arguments are written after two colons."""
        self._enter()
        return self._leave(self._path(is_value))

    def _path(self, is_value: bool) -> str:
        match self._next():
            case "C":
                return self._identifier()[0]
            case "M":
                self._impl_path()
                return f"<{self.type()}>"
            case "X":
                self._impl_path()
                return f"<{self.type()} as {self.path()}>"
            case "Y":
                return f"<{self.type()} as {self.path()}>"
            case "N":
                return self._nested(is_value)
            case "I":
                inner = self.path(is_value=is_value)
                return f"{inner}{'::' if is_value else ''}<{', '.join(self._until_end(self._argument))}>"
            case "B":
                return self._again(lambda: self.path(is_value=is_value))
        raise _MangledError

    def _impl_path(self) -> None:
        self._optional_62("s")
        self.path()

    def _nested(self, is_value: bool) -> str:
        namespace = self._next()
        outer = self.path(is_value=is_value)
        name, number = self._identifier()
        if namespace.isupper():
            kind = {"C": "closure", "S": "shim"}.get(namespace, namespace)
            return f"{outer}::{{{kind}{f':{name}' if name else ''}#{number}}}"
        return f"{outer}::{name}" if name else outer

    def _until_end(self, rule: Callable[[], str]) -> list[str]:
        found = []
        while not self._take("E"):
            found.append(rule())
        return found

    def _argument(self) -> str:
        if self._take("L"):
            return self._lifetime(self._base_62())
        return self._constant() if self._take("K") else self.type()

    def _lifetime(self, index: int) -> str:
        if not index:
            return "'_"
        number = self._lifetimes - index
        if number < 0:
            raise _MangledError
        return f"'{chr(97 + number)}" if number < 26 else f"'_{number}"

    # --- types

    def type(self) -> str:
        self._enter()
        return self._leave(self._type())

    def _type(self) -> str:
        char = self._next()
        if char in _BASIC_TYPES:
            return _BASIC_TYPES[char]
        match char:
            case "A":
                return f"[{self.type()}; {self._constant()}]"
            case "S":
                return f"[{self.type()}]"
            case "T":
                items = self._until_end(self.type)
                return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
            case "R" | "Q":
                lifetime = self._base_62() if self._take("L") else 0
                named = f"{self._lifetime(lifetime)} " if lifetime else ""
                return f"&{named}{'mut ' if char == 'Q' else ''}{self.type()}"
            case "P":
                return f"*const {self.type()}"
            case "O":
                return f"*mut {self.type()}"
            case "F":
                return self._bound(self._function)
            case "D":
                return self._dynamic()
            case "B":
                return self._again(self.type)
        self._at -= 1
        return self.path()

    def _bound(self, rule: Callable[[], str]) -> str:
        """Lifetimes that are introduced here ("for<'a> ...")."""
        count = self._optional_62("G")
        if count > 64:
            raise _MangledError
        before = self._lifetimes
        self._lifetimes += count
        names = ", ".join(self._lifetime(self._lifetimes - number) for number in range(before, self._lifetimes))
        text = rule()
        self._lifetimes = before
        return f"for<{names}> {text}" if count else text

    def _function(self) -> str:
        unsafe = "unsafe " if self._take("U") else ""
        abi = ""
        if self._take("K"):
            abi = 'extern "C" ' if self._take("C") else f'extern "{self._plain_identifier().replace("_", "-")}" '
        arguments = ", ".join(self._until_end(self.type))
        result = "" if self._take("u") else f" -> {self.type()}"
        return f"{unsafe}{abi}fn({arguments}){result}"

    def _dynamic(self) -> str:
        text = f"dyn {self._bound(lambda: ' + '.join(self._until_end(self._trait)))}"
        if not self._take("L"):
            raise _MangledError
        lifetime = self._base_62()
        return f"{text} + {self._lifetime(lifetime)}" if lifetime else text

    def _trait(self) -> str:
        text = self.path()
        bindings = []
        while self._take("p"):
            bindings.append(f"{self._plain_identifier()} = {self.type()}")
        if not bindings:
            return text
        inside = ", ".join(bindings)
        return f"{text[:-1]}, {inside}>" if text.endswith(">") and not text.startswith("<") else f"{text}<{inside}>"

    # --- constants

    def _constant(self) -> str:
        self._enter()
        return self._leave(self._value())

    def _value(self) -> str:
        kind = self._next()
        if kind == "B":
            return self._again(self._constant)
        if kind == "p":
            return "_"
        if kind not in "abchijlmnostxy":
            raise _MangledError  # structures and strings: rare, and no compiler writes them unasked
        sign = "-" if self._take("n") else ""
        start = self._at
        while (char := self._next()) != "_":
            if char not in "0123456789abcdef":
                raise _MangledError
        number = int(self._text[start : self._at - 1] or "0", 16)
        match kind:
            case "b":
                return "true" if number else "false"
            case "c":
                return repr(chr(number))
        return f"{sign}{number}"
