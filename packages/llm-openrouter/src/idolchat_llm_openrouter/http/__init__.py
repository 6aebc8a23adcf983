"""A small HTTP/1.1 client: what asking one server for streams of JSON takes, and no more.

It sends requests whose bodies are known, over connections that are kept, straight or through a proxy. It follows no
redirects, keeps no cookies and takes no compressed bodies.
"""

from idolchat_llm_openrouter.http.connection import HTTPConnection
from idolchat_llm_openrouter.http.connector import Connector
from idolchat_llm_openrouter.http.errors import Disconnected, HTTPError
from idolchat_llm_openrouter.http.pool import Pool
from idolchat_llm_openrouter.http.proxy import proxy_for
from idolchat_llm_openrouter.http.read_coalescing import ReadCoalescing
from idolchat_llm_openrouter.http.request import RequestWriter
from idolchat_llm_openrouter.http.response import Response

__all__ = [
    "Connector",
    "Disconnected",
    "HTTPConnection",
    "HTTPError",
    "Pool",
    "ReadCoalescing",
    "RequestWriter",
    "Response",
    "proxy_for",
]
