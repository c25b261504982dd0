"""BPFTRACE_* environment variables as settings of the config block (they win over the program's own)."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "BPFTRACE_"
_ALIASES = {"strlen": "max_strlen", "map_keys_max": "max_map_keys", "cat_bytes_max": "max_cat_bytes"}
_INVERTED = {"no_cpp_demangle": "cpp_demangle"}


def settings_of(environment: "Mapping[str, str]") -> dict[str, str]:
    """BPFTRACE_MAX_STRLEN=70 -> {"max_strlen": "70"}."""
    found = {}
    for name, value in environment.items():
        if not name.startswith(_PREFIX):
            continue
        setting = name.removeprefix(_PREFIX).lower()
        if setting in _INVERTED:
            found[_INVERTED[setting]] = "false" if value not in ("", "0", "false") else "true"
        else:
            found[_ALIASES.get(setting, setting)] = value
    return found
