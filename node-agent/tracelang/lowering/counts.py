"""How many arguments a call has, in words."""

from __future__ import annotations


def count_message(name: str, least: int, most: int, given: int) -> str:
    """What is wrong with the number of arguments."""
    if least == most:
        wanted = f"requires {counted(least)}"
    elif given < least:
        wanted = f"requires at least {counted(least)}"
    else:
        wanted = f"takes up to {counted(most)}"
    return f"{name}() {wanted} ({given} provided)"


def counted(number: int) -> str:
    """ "no arguments", "one argument", "3 arguments"."""
    return {0: "no arguments", 1: "one argument"}.get(number, f"{number} arguments")
