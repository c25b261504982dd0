"""How a child process ended, in words."""

import os


def ended(status: int) -> str:
    """Of what waitpid() gave. A kill that nobody asked for is mostly the kernel's, for want of memory."""
    if not os.WIFSIGNALED(status):
        return f"exit status {os.WEXITSTATUS(status)}"
    import signal

    name = signal.Signals(os.WTERMSIG(status)).name
    return f"{name}, which the kernel sends when memory is short" if name == "SIGKILL" else name
