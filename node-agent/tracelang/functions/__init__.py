"""The table of functions, by name."""

from __future__ import annotations

from tracelang.functions.lookups import LOOKUPS
from tracelang.functions.maps import MAPS
from tracelang.functions.memory import MEMORY
from tracelang.functions.meta import META
from tracelang.functions.output import OUTPUT
from tracelang.functions.strings import STRINGS
from tracelang.functions.table import Function
from tracelang.functions.tasks import TASKS

FUNCTIONS: dict[str, Function] = {
    function.name: function for group in (OUTPUT, MAPS, MEMORY, STRINGS, LOOKUPS, TASKS, META) for function in group
}
