"""The disposable compiler: a child process that makes byte code of C text, and whose death is an error.

bcc may abort or exit on a text it doesn't like, and its hundred megabytes shouldn't stay with the agent: so it lives
in a forked child. The child is forked before the program is parsed: it loads the library while the parent works out
the C text.

bcc rewrites every function of its main file that takes arguments, which would break callbacks. So the text goes in as
an included file (a memfd), and the main file only declares the functions without their parameters: bcc then finds
what to give back (it asks for a name with a body) and nothing to rewrite.
"""

import os
import struct
import time

# Not `signal` and `contextlib`: the library is to be loaded before they would be imported.
from _signal import SIG_IGN, SIGHUP, SIGINT, SIGKILL, SIGTERM, signal

from tracejob_agent.bpf.header_tree import FLAGS, header_tree
from tracejob_agent.bpf.packing import pack, unpack
from tracejob_agent.ended import ended
from tracejob_agent.errors import CompileFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import NoReturn

TIME_LIMIT = 120.0
_CLONE_NEWNS = 0x20000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_PR_SET_PDEATHSIG = 1


class CompilerChild:
    """A forked compiler that waits for its one text. Use as a context manager; leaving it ends the child.

    messages: a memfd, what the child printed. temporary: a folder to remove in the end.
    """

    __slots__ = ("answers", "messages", "pid", "requests", "temporary")

    def __init__(self, pid: int, *, requests: int, answers: int, messages: int, temporary: str | None) -> None:
        self.pid = pid
        self.requests = requests
        self.answers = answers
        self.messages = messages
        self.temporary = temporary

    @staticmethod
    def start(*, closed: tuple[int, ...] = ()) -> "CompilerChild":
        """closed: descriptors that the child doesn't keep, since somebody waits for their end."""
        folder, is_temporary = header_tree()
        request_read, request_write = os.pipe2(os.O_CLOEXEC)
        answer_read, answer_write = os.pipe2(os.O_CLOEXEC)
        messages = os.memfd_create("tj_messages", os.MFD_CLOEXEC)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(request_write)
            os.close(answer_read)
            for descriptor in closed:
                os.close(descriptor)
            _serve(folder, parent=parent, request=request_read, answer=answer_write, messages=messages)
        os.close(request_read)
        os.close(answer_write)
        return CompilerChild(
            pid,
            requests=request_write,
            answers=answer_read,
            messages=messages,
            temporary=folder if is_temporary else None,
        )

    def __enter__(self) -> "CompilerChild":
        return self

    def __exit__(
        self, kind: "type[BaseException] | None", value: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.close()

    def compile(self, source: str, functions: "Iterable[str]") -> dict[str, bytes]:
        """Byte code of `functions`, by name. Each is defined in `source` with section ".bpf.fn.NAME", not static.

        Once per child. Raises CompileFault.
        """
        self.begin(source, functions)
        return self.finish()

    def begin(self, source: str, functions: "Iterable[str]") -> None:
        """The first half of compile(): the child is at it now."""
        text = ("\n".join(functions) + "\0" + source).encode()
        try:
            _write_all(self.requests, struct.pack("<I", len(text)) + text)
        except BrokenPipeError:
            pass  # finish() says why

    def finish(self) -> dict[str, bytes]:
        """The second half."""
        import select

        deadline = time.monotonic() + TIME_LIMIT
        answer = bytearray()
        while True:
            ready, _, _ = select.select([self.answers], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise CompileFault(f"the compiler took longer than {TIME_LIMIT:.0f} s", log=self._log())
            chunk = os.read(self.answers, 1 << 20)
            if not chunk:
                break
            answer += chunk
        if answer[:1] == b"\1":
            return unpack(memoryview(answer)[1:])
        if answer[:1] == b"\0":
            raise CompileFault("the generated C text doesn't compile", log=self._log())
        raise CompileFault(f"the compiler died ({self._end()})", log=self._log())

    def close(self) -> None:
        """Ends the child; may be called twice."""
        try:
            os.kill(self.pid, SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        for descriptor in (self.requests, self.answers, self.messages):
            try:
                os.close(descriptor)
            except OSError:
                pass
        if self.temporary is not None:
            import shutil

            shutil.rmtree(self.temporary, ignore_errors=True)

    def _end(self) -> str:
        try:
            _, status = os.waitpid(self.pid, 0)
        except ChildProcessError:
            return "already gone"
        return ended(status)

    def _log(self) -> str:
        size = os.fstat(self.messages).st_size
        return os.pread(self.messages, min(size, 1 << 20), 0).decode(errors="replace")


def _serve(folder: str, *, parent: int, request: int, answer: int, messages: int) -> "NoReturn":
    """The child's life: prepare, read one text, compile, answer. Never returns into the agent's code."""
    try:
        for number in (SIGINT, SIGTERM, SIGHUP):
            # Ctrl-C goes to the whole group: the agent decides when its compiler ends.
            signal(number, SIG_IGN)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(messages, 1)
        os.dup2(messages, 2)
        leave_with(parent)
        _hide_kallsyms(f"{folder}/kallsyms")
        os.environ["BCC_KERNEL_SOURCE"] = folder
        # clang's first -I is the working directory.
        os.chdir(f"{folder}/include")
        from tracejob_agent.bpf.libbcc import Bcc

        bcc = Bcc()
        (size,) = struct.unpack("<I", _read_exactly(request, 4))
        names, _, source = _read_exactly(request, size).partition(b"\0")
        functions = bcc.compile(_main_file(names.split(b"\n"), source), FLAGS)
        _write_all(answer, b"\0" if functions is None else b"\1" + pack(functions))
        # The agent needn't wait until the kernel has taken a hundred megabytes apart.
        os.close(answer)
        os._exit(0)
    except BaseException:
        import traceback

        os.write(messages, traceback.format_exc().encode())
        os._exit(70)


def _main_file(names: list[bytes], source: bytes) -> bytes:
    """What bcc is given: declarations, and the text as an include of its own, called program.c in messages."""
    descriptor = os.memfd_create("tj_source")
    _write_all(descriptor, b'#line 1 "program.c"\n' + source)
    declarations = b"".join(b"int %s();\n" % name for name in names)
    return b'%s#include "/proc/self/fd/%d"\n' % (declarations, descriptor)


def leave_with(parent: int) -> None:
    """Dies when the agent dies, whatever killed it."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != parent:
        os._exit(71)


def _hide_kallsyms(stand_in: str) -> None:
    """In a mount namespace of the child's own. Without the right to do so, bcc is only slower."""
    import ctypes

    libc = ctypes.CDLL(None)
    if libc.unshare(_CLONE_NEWNS) == 0 and libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) == 0:
        libc.mount(os.fsencode(stand_in), b"/proc/kallsyms", None, _MS_BIND, None)


def _read_exactly(descriptor: int, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = os.read(descriptor, size - len(data))
        if not chunk:
            os._exit(0)  # the agent doesn't need a compiler after all
        data += chunk
    return bytes(data)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
