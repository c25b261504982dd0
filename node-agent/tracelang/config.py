"""The config block and its environment variables: names, defaults, what values they take.

In: entries of the program and of the environment (which wins). Out: the effective settings, as output and code
generation need them.
"""

from __future__ import annotations

from enum import Enum

from tracelang import nodes
from tracelang.diagnostics import Diagnostics
from tracelang.facts import Facts
from tracelang.kernel_helpers import OLD_STRING_BYTES, has_long_keys
from tracelang.plan import CompileOptions
from tracelang.source import NOWHERE, Span
from tracelang.structs import Struct
from tracelang.suggest import did_you_mean

Value = int | str | bool


class Kind(Enum):
    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"
    CHOICE = "choice"


class Setting(Struct, frozen=True):
    name: str
    kind: Kind
    default: Value
    choices: tuple[str, ...] = ()
    minimum: int = 0
    environment_only: bool = False


UNSTABLE = ("error", "warn", "enable")
LICENSES = (
    "Dual MIT/GPL", "Dual BSD/GPL", "Dual MPL/GPL", "GPL and additional rights", "GPL v2", "GPL",
)  # fmt: skip

SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("cache_user_symbols", Kind.CHOICE, "PER_PID", ("PER_PROGRAM", "PER_PID", "NONE")),
        Setting("cpp_demangle", Kind.BOOLEAN, True),
        Setting("lazy_symbolication", Kind.BOOLEAN, False),
        Setting("license", Kind.CHOICE, "GPL", LICENSES),
        Setting("log_size", Kind.NUMBER, 1_000_000),
        Setting("max_ast_nodes", Kind.NUMBER, 0),
        Setting("max_bpf_progs", Kind.NUMBER, 1024),
        Setting("max_cat_bytes", Kind.NUMBER, 10240),
        Setting("max_map_keys", Kind.NUMBER, 4096, minimum=1),
        Setting("max_probes", Kind.NUMBER, 1024),
        Setting("max_strlen", Kind.NUMBER, 1024, minimum=1),
        Setting("missing_probes", Kind.CHOICE, "error", ("ignore", "warn", "error")),
        Setting("on_stack_limit", Kind.NUMBER, 32),
        Setting("perf_rb_pages", Kind.NUMBER, 0),
        Setting("print_maps_on_exit", Kind.BOOLEAN, True),
        Setting("show_debug_info", Kind.BOOLEAN, True),
        Setting("stack_mode", Kind.CHOICE, "bpftrace", ("bpftrace", "raw", "perf", "build_id")),
        Setting("str_trunc_trailer", Kind.TEXT, ".."),
        Setting("unstable_addr", Kind.CHOICE, "warn", UNSTABLE),
        Setting("unstable_dw_ustack", Kind.CHOICE, "warn", UNSTABLE),
        Setting("unstable_import", Kind.CHOICE, "error", UNSTABLE),
        Setting("unstable_import_statement", Kind.CHOICE, "error", UNSTABLE),
        Setting("unstable_map_decl", Kind.CHOICE, "warn", UNSTABLE),
        Setting("unstable_tseries", Kind.CHOICE, "warn", UNSTABLE),
        Setting("unstable_typeinfo", Kind.CHOICE, "enable", UNSTABLE),
        Setting("use_blazesym", Kind.BOOLEAN, True),
        Setting("dummy_ts_map", Kind.TEXT, "", environment_only=True),
        Setting("debug_output", Kind.BOOLEAN, False, environment_only=True),
        Setting("kernel_build", Kind.TEXT, "", environment_only=True),
        Setting("kernel_source", Kind.TEXT, "", environment_only=True),
        Setting("vmlinux", Kind.TEXT, "", environment_only=True),
        Setting("btf", Kind.TEXT, "", environment_only=True),
        Setting("color", Kind.TEXT, "auto", environment_only=True),
        Setting("max_type_res_iterations", Kind.NUMBER, 0),
        Setting("verify_llvm_ir", Kind.BOOLEAN, False, environment_only=True),
        Setting("no_cpp_demangle", Kind.BOOLEAN, False, environment_only=True),
        Setting("cat_bytes_max", Kind.NUMBER, 10240),
    )
}
RENAMED = {"strlen": "max_strlen", "map_keys_max": "max_map_keys", "cat_bytes_max": "max_cat_bytes"}


def canonical(name: str) -> str:
    """`BPFTRACE_STACK_MODE`, `STACK_MODE` and `stack_mode` are one setting."""
    folded = name.lower().removeprefix("bpftrace_")
    return RENAMED.get(folded, folded)


def resolve_config(
    entries: tuple[nodes.ConfigEntry, ...], options: CompileOptions, diagnostics: Diagnostics, *, facts: Facts
) -> dict[str, Value]:
    """The effective settings: defaults, then the program's block, then the environment."""
    settings: dict[str, Value] = {name: setting.default for name, setting in SETTINGS.items()}
    if not has_long_keys(facts):
        settings["max_strlen"] = OLD_STRING_BYTES
    settings["max_map_keys"] = options.max_map_keys
    for entry in entries:
        _set(settings, entry.name, entry.value, span=entry.span, diagnostics=diagnostics)
    for name, text in options.config.items():
        if canonical(name) not in SETTINGS:
            continue  # BPFTRACE_... of another version: an environment is no part of the program
        _set(settings, name, text, span=NOWHERE, diagnostics=diagnostics)
    return settings


def _set(settings: dict[str, Value], name: str, value: Value, *, span: Span, diagnostics: Diagnostics) -> None:
    setting = SETTINGS.get(canonical(name))
    if setting is None:
        if span == NOWHERE:
            return  # the environment has variables of other versions too
        hint = did_you_mean(canonical(name), SETTINGS)
        diagnostics.error(span, f"{name}: not a known configuration option", hint=hint)
        return
    if setting.environment_only and span != NOWHERE:
        diagnostics.error(span, f"{name}: not a known configuration option", hint="it is an environment variable")
        return
    parsed = parse_value(setting, value)
    if parsed is None:
        diagnostics.error(span, _refusal(setting, value))
        return
    settings[setting.name] = parsed


def parse_value(setting: Setting, value: Value) -> Value | None:
    """`value` as the setting wants it; None: it can't be."""
    match setting.kind:
        case Kind.NUMBER:
            number = _number(value)
            return number if number is not None and number >= setting.minimum else None
        case Kind.BOOLEAN:
            return _boolean(value)
        case Kind.CHOICE:
            text = str(value)
            if setting.choices == UNSTABLE and (switch := _boolean(value)) is not None:
                return "enable" if switch else "error"
            return next((choice for choice in setting.choices if choice.lower() == text.lower()), None)
        case Kind.TEXT:
            return str(value)


def _number(value: Value) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return value if isinstance(value, int) else int(value, 0)
    except ValueError:
        return None


def _boolean(value: Value) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"1": True, "true": True, "0": False, "false": False}.get(str(value).lower())


def _refusal(setting: Setting, value: Value) -> str:
    """Why the setting can't be `value`."""
    if setting.name == "license":
        return (
            f"Invalid value for license. Found: {value}. Valid values: {', '.join(LICENSES)}. "
            "Read more about BPF programs and licensing: "
            "https://docs.kernel.org/bpf/bpf_licensing.html#using-bpf-programs-in-the-linux-kernel"
        )
    match setting.kind:
        case Kind.NUMBER if _number(value) is None:
            return f"{setting.name}: expecting a number, got {value}"
        case Kind.NUMBER:
            return f"{setting.name}: expecting a number of at least {setting.minimum}, got {value}"
        case Kind.BOOLEAN:
            return f"{setting.name}: Invalid bool value: valid values are true, false, 1 or 0."
        case Kind.CHOICE:
            *others, last = setting.choices
            return (
                f"{setting.name}: Invalid value for {setting.name}: valid values are {', '.join(others)}, and {last}."
            )
        case Kind.TEXT:
            return f"{setting.name}: expecting text, got {value}"
