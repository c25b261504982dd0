"""From the spelling of a literal to its value: integers (`0x1f`, `1_000`, `2e3`, `10ms`) and strings with escapes.

A spelling that means nothing raises `LiteralProblem` with the offsets of the offending part, which the lexer turns
into an invalid token and the parser into a diagnostic.
"""

from __future__ import annotations

import re

MAXIMUM = (1 << 64) - 1

NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3_600 * 1_000_000_000,
    "d": 86_400 * 1_000_000_000,
}

_C_SUFFIXES = frozenset(("u", "l", "ul", "ll", "ull"))
_HEXADECIMAL = re.compile(r"0[xX]([0-9a-fA-F_]*)(.*)", re.DOTALL)
_DECIMAL = re.compile(r"([0-9][0-9_]*)(?:[eE]([0-9][0-9_]*))?(.*)", re.DOTALL)
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


class LiteralProblem(Exception):
    """What is wrong with a literal; `start` and `end` are offsets in its spelling."""

    def __init__(self, message: str, *, start: int, end: int, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.hint = hint


def integer_value(text: str) -> int:
    """The value of an integer literal; durations become nanoseconds."""
    if hexadecimal := _HEXADECIMAL.fullmatch(text):
        digits, suffix = hexadecimal[1].replace("_", ""), hexadecimal[2]
        if not digits:
            raise LiteralProblem("a hexadecimal number needs digits after '0x'", start=0, end=len(text))
        value = _parse_digits(digits, 16, text)
        exponent = None
    else:
        decimal = _DECIMAL.fullmatch(text)
        if decimal is None:
            raise LiteralProblem(f"'{text}' is not a number", start=0, end=len(text))
        digits, suffix = decimal[1].replace("_", ""), decimal[3]
        exponent = decimal[2]
        octal = len(digits) > 1 and digits.startswith("0") and exponent is None
        if octal and not set(digits) <= set("01234567"):
            raise LiteralProblem(
                f"'{text}' starts with 0, so it is octal, but it has a digit above 7",
                start=0,
                end=len(text),
                hint=f"write {digits.lstrip('0')} for the decimal number",
            )
        value = _parse_digits(digits, 8 if octal else 10, text)
    if text[: len(text) - len(suffix)].endswith("_"):
        raise LiteralProblem("a number can't end with '_'", start=0, end=len(text))
    if exponent is not None:
        power = exponent.replace("_", "")
        value = value * 10 ** int(power) if len(power) < 3 else (MAXIMUM + 1 if value else 0)
    value *= _factor(suffix, text)
    if value > MAXIMUM:
        raise LiteralProblem(f"this number is larger than {MAXIMUM}, the largest there is", start=0, end=len(text))
    return value


def written_number(text: str) -> int | None:
    """The number that a parameter of the command line is, spelled as in a program, with a sign; None: it is text."""
    try:
        value = integer_value(text.removeprefix("-"))
    except LiteralProblem:
        return None
    if not text.startswith("-"):
        return value
    return -value if value <= 1 << 63 else None


def _parse_digits(digits: str, base: int, text: str) -> int:
    if len(digits) > 64:
        raise LiteralProblem(f"this number is larger than {MAXIMUM}, the largest there is", start=0, end=len(text))
    return int(digits, base)


def _factor(suffix: str, text: str) -> int:
    """What a suffix multiplies by: C's size suffixes mean nothing, the units of time are nanoseconds."""
    if not suffix or suffix.lower() in _C_SUFFIXES:
        return 1
    if suffix in NANOSECONDS:
        return NANOSECONDS[suffix]
    start = len(text) - len(suffix)
    if text[0] == "0" and suffix[0] in "bB" and set(suffix[1:]) <= set("01"):
        hint = f"there are no binary numbers; write {hex(int(suffix[1:] or '0', 2))}"
    elif suffix.lower() in NANOSECONDS:
        hint = f"units are written small: '{suffix.lower()}'"
    else:
        hint = f"units of time are {', '.join(NANOSECONDS)}"
    raise LiteralProblem(f"'{suffix}' is not a unit", start=start, end=len(text), hint=hint)


def string_value(body: str) -> str:
    """The value of the text between the quotes; bytes that aren't UTF-8 come out as surrogate escapes."""
    if "\\" not in body and body.isascii():
        return body
    out = bytearray()
    position = 0
    while position < len(body):
        char = body[position]
        if char != "\\":
            out += _encoded(char, position)
            position += 1
            continue
        byte, position = _escape(body, position)
        out += byte
    return out.decode("utf-8", "surrogateescape")


def _encoded(char: str, position: int) -> bytes:
    try:
        return char.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise LiteralProblem(
            f"the code point U+{ord(char):04X} can't be in a string", start=position, end=position + 1
        ) from None


def _escape(body: str, start: int) -> tuple[bytes, int]:
    """The bytes of the escape at `start`, and where the text goes on."""
    char = body[start + 1 : start + 2]
    if char in _SIMPLE_ESCAPES and char:
        return _SIMPLE_ESCAPES[char].encode(), start + 2
    if char == "x":
        digits = re.compile(r"[0-9a-fA-F]{1,2}").match(body, start + 2)
        if digits is None:
            raise LiteralProblem("'\\x' needs one or two hexadecimal digits", start=start, end=start + 2)
        return bytes((int(digits[0], 16),)), digits.end()
    octal = re.compile(r"[0-7]{1,3}").match(body, start + 1)
    if octal is None:
        raise LiteralProblem(
            f"'\\{char}' is not an escape",
            start=start,
            end=start + 2,
            hint=r"escapes are \n \t \r \" \\ \0nn (octal) and \xnn; a backslash itself is \\",
        )
    if int(octal[0], 8) > 0xFF:
        raise LiteralProblem(f"'\\{octal[0]}' is larger than a byte", start=start, end=octal.end())
    return bytes((int(octal[0], 8),)), octal.end()


def quoted(value: str) -> str:
    """A string literal with this value, in one line of printable text."""
    out = []
    for char in value:
        code = ord(char)
        if char in ('"', "\\"):
            out.append("\\" + char)
        elif char in "\n\t\r":
            out.append({"\n": "\\n", "\t": "\\t", "\r": "\\r"}[char])
        elif 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        elif char.isprintable() or 0xD800 <= code <= 0xDFFF:
            out.append(char)
        else:
            out.extend(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
    return f'"{"".join(out)}"'
