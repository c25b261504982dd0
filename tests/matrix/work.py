"""Events for the tools: `tcp` connects to itself and sends, `unix` passes a message. Plain Python, to start fast."""

from __future__ import annotations

import socket
import sys
import threading


def tcp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = threading.Thread(target=send, args=(server.getsockname(),))
        client.start()
        connection, _ = server.accept()
        with connection:
            while connection.recv(4096):
                pass
        client.join()


def send(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(b"x" * 5000)


def unix() -> None:
    one, other = socket.socketpair()
    one.sendall(b"hello")
    other.recv(100)


if __name__ == "__main__":
    {"tcp": tcp, "unix": unix}[sys.argv[1]]()
