"""What can go wrong inside the engine, as typed errors; user mistakes are tracelang.diagnostics instead."""


class EngineError(Exception):
    """Base of all errors of the engine; the message is one sentence for the user."""


class CompileFault(EngineError):
    """The compiler child died or refused the C text: our fault or the machine's, never the user's.

    `log` is what the compiler printed.
    """

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log

    def __reduce__(self) -> "tuple[type[CompileFault], tuple[str, str]]":
        """It comes from a child process."""
        return CompileFault, (str(self), self.log)


class MapError(EngineError):
    """A map couldn't be made."""


class LoadError(EngineError):
    """The kernel didn't take a program, for a reason other than the verifier's."""


class NotPermittedError(EngineError):
    """The machine doesn't let us, whatever the program: rights, lockdown, limits."""


class OutputError(EngineError):
    """Results can't be written."""


class VerifierError(LoadError):
    """The verifier refused a program.

    log: the verifier's whole text; instruction: the index it stopped at (-1 when the log doesn't say);
    complaint: its last words.
    """

    def __init__(self, message: str, *, program: str, log: str, instruction: int, complaint: str) -> None:
        super().__init__(message)
        self.program = program
        self.log = log
        self.instruction = instruction
        self.complaint = complaint


class LogSpaceError(LoadError):
    """The verifier's log doesn't fit into the bytes that there are for it: the kernel refuses the program for that."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the verifier's log is longer than {size} bytes")
        self.size = size


class AttachError(EngineError):
    """A probe couldn't be attached."""


class UnsupportedError(EngineError):
    """This kernel or this machine lacks what is needed."""


class LimitError(EngineError):
    """The program would take more than limits allow."""


class TargetError(EngineError):
    """The target is gone, or can't be told apart from the rest of the node."""
