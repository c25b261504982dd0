"""libbcc through ctypes, in the compiler child only: C text in, byte code by function out.

Only the compiler is used. The text declares no bcc tables, so bcc makes no kernel map; it must find nothing to rewrite.
"""

import ctypes

LIBRARY = "libbcc.so.0"


class Bcc:
    """The loaded library. Loading takes some 30 ms: do it while something else is going on."""

    def __init__(self) -> None:
        library = ctypes.CDLL(LIBRARY)
        self._create = library.bpf_module_create_c_from_string
        self._create.restype = ctypes.c_void_p
        self._create.argtypes = [
            ctypes.c_char_p,
            ctypes.c_uint,
            ctypes.POINTER(ctypes.c_char_p),
            ctypes.c_int,
            ctypes.c_bool,
            ctypes.c_char_p,
        ]
        self._count = library.bpf_num_functions
        self._count.restype = ctypes.c_size_t
        self._count.argtypes = [ctypes.c_void_p]
        self._name = library.bpf_function_name
        self._name.restype = ctypes.c_char_p
        self._name.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self._start = library.bpf_function_start_id
        self._start.restype = ctypes.c_void_p
        self._start.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self._size = library.bpf_function_size_id
        self._size.restype = ctypes.c_size_t
        self._size.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

    def compile(self, source: bytes, flags: tuple[bytes, ...] = ()) -> dict[str, bytes] | None:
        """None when clang refuses the text (it says why on the error stream). May end the process instead."""
        array = (ctypes.c_char_p * max(len(flags), 1))(*flags)
        module = self._create(source, 0, array, len(flags), False, None)
        if not module:
            return None
        functions = {}
        for index in range(self._count(module)):
            name = self._name(module, index).decode()
            functions[name] = ctypes.string_at(self._start(module, index), self._size(module, index))
        return functions
