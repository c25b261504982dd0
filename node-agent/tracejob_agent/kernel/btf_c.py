"""Kernel types spelled in C: BTF records in, declarations and struct bodies out, for listings and messages."""

from __future__ import annotations

from tracejob_agent.kernel.btf_file import BtfFile, Kind, Record, enum_constants

_KEYWORDS = {Kind.STRUCT: "struct", Kind.UNION: "union", Kind.ENUM: "enum", Kind.ENUM64: "enum"}
_QUALIFIERS = {Kind.CONST: "const ", Kind.VOLATILE: "volatile ", Kind.RESTRICT: ""}


def definition(btf: BtfFile, record: Record) -> str:
    """ "struct upid {...};" with its members, one a line."""
    name = f"{_KEYWORDS[record.kind]} {record.name}".rstrip()
    return f"{name} {_body(btf, record, depth=0)};"


def declaration(btf: BtfFile, type_id: int, name: str, *, depth: int = 0) -> str:
    """ "struct list_head *next", "char comm[16]", "void (*release)(struct kref *)"."""
    record = btf.record(type_id)
    match record.kind:
        case Kind.VOID:
            return _joined("void", name)
        case Kind.PTR:
            target = btf.record(record.size_or_type)
            is_wrapped = target.kind in (Kind.FUNC_PROTO, Kind.ARRAY)
            return declaration(btf, record.size_or_type, f"(*{name})" if is_wrapped else f"*{name}", depth=depth)
        case Kind.ARRAY:
            element, _, count = btf.words(type_id)
            return declaration(btf, element, f"{name}[{count or ''}]", depth=depth)
        case Kind.FUNC_PROTO:
            parameters = ", ".join(declaration(btf, item, "") for item in btf.words(type_id)[1::2])
            return declaration(btf, record.size_or_type, f"{name}({parameters or 'void'})", depth=depth)
        case Kind.CONST | Kind.VOLATILE | Kind.RESTRICT:
            return _QUALIFIERS[record.kind] + declaration(btf, record.size_or_type, name, depth=depth)
        case Kind.TYPE_TAG | Kind.DECL_TAG:
            return declaration(btf, record.size_or_type, name, depth=depth)
        case Kind.STRUCT | Kind.UNION | Kind.ENUM | Kind.ENUM64:
            if not record.name:
                return _joined(f"{_KEYWORDS[record.kind]} {_body(btf, record, depth=depth)}", name)
            return _joined(f"{_KEYWORDS[record.kind]} {record.name}", name)
        case Kind.FWD:
            return _joined(f"{'union' if record.flag else 'struct'} {record.name}", name)
    return _joined(record.name, name)


def parameters(btf: BtfFile, function: Record) -> list[tuple[str, str]]:
    """(type, name) of a FUNC's parameters, as in ("struct file *", "file")."""
    words = btf.words(btf.record(function.size_or_type).id)
    pairs = zip(words[0::2], words[1::2], strict=True)
    return [(declaration(btf, type_id, ""), btf.string(name_offset)) for name_offset, type_id in pairs if type_id]


def result(btf: BtfFile, function: Record) -> str:
    """A FUNC's result type; "" for void."""
    type_id = btf.record(function.size_or_type).size_or_type
    return declaration(btf, type_id, "") if type_id else ""


def _joined(type_text: str, name: str) -> str:
    return f"{type_text} {name}" if name else type_text


def _body(btf: BtfFile, record: Record, *, depth: int) -> str:
    indent = "\t" * (depth + 1)
    if record.kind in (Kind.ENUM, Kind.ENUM64):
        lines = [f"{indent}{name} = {value},\n" for name, value in enum_constants(btf, record)]
    else:
        lines = []
        words = btf.words(record.id)
        for name_offset, type_id, position in zip(words[0::3], words[1::3], words[2::3], strict=True):
            bits = position >> 24 if record.flag else 0
            shown = declaration(btf, type_id, btf.string(name_offset), depth=depth + 1)
            lines.append(f"{indent}{shown}{f': {bits}' if bits else ''};\n")
    return f"{{\n{''.join(lines)}{indent[:-1]}}}"
