"""One service as a process of its own: a process has one engine. Run by path, with `settings` and `pipe` given."""

import contextlib
import signal
import threading
import time
from multiprocessing.connection import Connection

from capably.threads.server import ThreadsServer
from capably.threads.service import create_app
from capably.threads.settings import ThreadsSettings


def listening_port(server: ThreadsServer, thread: threading.Thread) -> int:
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.005)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


def serve(settings: ThreadsSettings, pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = ThreadsServer(create_app(settings), port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    pipe.send(listening_port(server, thread))
    with contextlib.suppress(EOFError):
        pipe.recv()
    server.should_exit = True
    thread.join()


if __name__ == "forked":
    serve(globals()["settings"], globals()["pipe"])
