"""A relay between clients and a database server, which breaks their connections when it is told to.

    python benchmarks/relay.py LISTEN TARGET

LISTEN and TARGET are HOST:PORT or the path of a socket. It says "ready", then takes a command a line from standard
input and ends with it:

    drop      end all connections now
    lose      end a connection in the place of the server's next answer: what was asked is done, and nobody is told
    stall     pass nothing on, until "go"
    refuse    take no connection, and end those there are, until "go"
    go        do as before
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from typing import Any

__all__ = ["Relay"]


class Relay:
    """The relay as a process of its own; a context manager."""

    def __init__(self, listen: str, target: str) -> None:
        command = [sys.executable, __file__, listen, target]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def tell(self, command: str) -> None:
        """Give it a command and wait until it is taken."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == command + "\n"

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Relaying:
    def __init__(self, target: str) -> None:
        self._target = target
        self._transports: set[Any] = set()
        self._going = asyncio.Event()
        self._going.set()
        self._lose = self._refuse = False

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what a client and the server say to each other."""
        if self._refuse:
            writer.transport.abort()
            return
        ends = {writer.transport}
        try:
            from_server, to_server = await _connected(self._target)
            ends.add(to_server.transport)
            self._transports |= ends
            ways = (self._pass_on(reader, to_server), self._pass_on(from_server, writer, answers=True))
            tasks = [asyncio.ensure_future(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            pass
        finally:
            for end in ends:
                end.abort()
            self._transports -= ends

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, answers: bool = False) -> None:
        while data := await source.read(1 << 16):
            await self._going.wait()
            if answers and self._lose:
                self._lose = False
                return
            target.write(data)
            await target.drain()

    def obey(self, command: str) -> None:
        """Do what a line says."""
        if command in ("drop", "refuse"):
            for transport in list(self._transports):
                transport.abort()
        self._refuse = command == "refuse" or (self._refuse and command != "go")
        self._lose = self._lose or command == "lose"
        if command == "stall":
            self._going.clear()
        elif command == "go":
            self._going.set()


async def _connected(place: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if place.startswith("/"):
        return await asyncio.open_unix_connection(place)
    host, _, port = place.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def _main(listen: str, target: str) -> None:
    relaying = _Relaying(target)
    if listen.startswith("/"):
        await asyncio.start_unix_server(relaying.client, listen)
    else:
        host, _, port = listen.rpartition(":")
        await asyncio.start_server(relaying.client, host, int(port))
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        relaying.obey(line.strip())
        print(line, end="", flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(*sys.argv[1:]))
