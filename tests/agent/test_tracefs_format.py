"""Records of tracepoints as their format files state them."""

from __future__ import annotations

from tracejob_agent.kernel.tracefs import parse_format
from tracelang.types import (
    S8,
    S32,
    S64,
    U16,
    U64,
    AddressSpace,
    ArrayType,
    PointerType,
    StringType,
    StructType,
    Type,
    VoidType,
)

TEXT = """name: sys_enter_openat
ID: 782
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:int dfd;	offset:16;	size:8;	signed:0;
	field:const char * filename;	offset:24;	size:8;	signed:0;
	field:char comm[16];	offset:32;	size:16;	signed:0;
	field:unsigned long args[6];	offset:48;	size:48;	signed:0;
	field:__data_loc char[] name;	offset:96;	size:4;	signed:0;
	field:__data_loc unsigned long[] mask;	offset:100;	size:4;	signed:0;
	field:struct thing * thing;	offset:104;	size:8;	signed:0;
	field:dev_t dev;	offset:112;	size:4;	signed:0;
	field:struct other * unknown;	offset:120;	size:8;	signed:0;

print fmt: "dfd: 0x%08lx", ((unsigned long)(REC->dfd))
"""


def named(name: str) -> Type | None:
    return StructType(name, 24) if name == "struct thing" else None


LAYOUT = parse_format("struct x", TEXT, space=AddressSpace.USER, named=named)


def type_of(name: str) -> Type:
    return LAYOUT.members[name].type


def test_fields_have_the_size_that_the_record_gives_them() -> None:
    assert type_of("common_type") == U16
    assert type_of("common_pid") == S32
    assert type_of("dfd") == S64  # an int, stored in eight bytes
    assert LAYOUT.members["dfd"].offset == 16
    assert LAYOUT.size == 128


def test_pointers_point_into_the_given_space_also_when_their_target_is_not_known() -> None:
    assert type_of("filename") == PointerType(S8, AddressSpace.USER)
    assert type_of("thing") == PointerType(StructType("struct thing", 24), AddressSpace.USER)
    assert type_of("unknown") == PointerType(VoidType(), AddressSpace.USER)


def test_arrays_of_characters_are_strings() -> None:
    assert type_of("comm") == StringType(16)
    assert type_of("args") == ArrayType(U64, 6)


def test_data_loc_fields_say_so() -> None:
    assert LAYOUT.members["name"].data_loc
    assert type_of("name") == StringType(0)
    assert type_of("mask") == ArrayType(U64, 0)


def test_an_unknown_type_is_an_integer_of_its_size() -> None:
    shown = type_of("dev")
    assert getattr(shown, "bits", 0) == 32
