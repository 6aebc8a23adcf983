"""Runs the load that is described on standard input, as JSON, and prints what was seen, as JSON."""

import json
import sys

import uvloop

from benchmarks.load.http import HttpClient
from benchmarks.load.options import Load
from benchmarks.load.run import run
from benchmarks.load.websocket import WebSocketClient

if __name__ == "__main__":
    load = Load(**json.load(sys.stdin))
    print(json.dumps(uvloop.run(run(load, WebSocketClient if load.mode == "ws" else HttpClient))))
