"""Runs the load that the first line of standard input describes, as JSON, and prints what was seen, as JSON, in a line.

Each further line, whatever it says, runs it once more over the same connections.
"""

import asyncio
import json
import sys

import uvloop

from benchmarks.load.http import HttpClient
from benchmarks.load.options import Load
from benchmarks.load.run import runs
from benchmarks.load.websocket import WebSocketClient


async def main(load: Load) -> None:
    """Run it until standard input ends."""

    async def again() -> str:
        return await asyncio.to_thread(sys.stdin.readline)

    async for seen in runs(load, WebSocketClient if load.mode == "ws" else HttpClient, again):
        print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    uvloop.run(main(Load(**json.loads(sys.stdin.readline()))))
