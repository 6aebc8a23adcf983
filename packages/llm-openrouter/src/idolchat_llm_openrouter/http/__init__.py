"""A small HTTP/1.1 client for one server that answers with JSON and streams of it.

It sends requests whose bodies are known, over connections that are kept, directly or through a proxy. It follows no
redirects, keeps no cookies and decompresses nothing.
"""

from idolchat_llm_openrouter.http.connection import HTTPConnection
from idolchat_llm_openrouter.http.connector import Connector
from idolchat_llm_openrouter.http.pool import Pool
from idolchat_llm_openrouter.http.proxy import proxy_for
from idolchat_llm_openrouter.http.read_coalescing import ReadCoalescing
from idolchat_llm_openrouter.http.request import RequestWriter
from idolchat_llm_openrouter.http.response import Response
from idolchat_llm_openrouter.http.transport import HTTPTransport, open_http

__all__ = [
    "Connector",
    "HTTPConnection",
    "HTTPTransport",
    "Pool",
    "ReadCoalescing",
    "RequestWriter",
    "Response",
    "open_http",
    "proxy_for",
]
