"""A small HTTP/1.1 client: what asking one server for streams of JSON takes, and no more.

It sends requests whose bodies are known, over connections that are kept, straight or through a proxy. It follows no
redirects, keeps no cookies and takes no compressed bodies.
"""

from idolchat_llm_openrouter.http.connection import Connection
from idolchat_llm_openrouter.http.connector import Route
from idolchat_llm_openrouter.http.errors import Disconnected, HTTPError
from idolchat_llm_openrouter.http.pool import Pool
from idolchat_llm_openrouter.http.proxy import proxy_for
from idolchat_llm_openrouter.http.read_coalescing import Pace
from idolchat_llm_openrouter.http.request import Requests
from idolchat_llm_openrouter.http.response import Response

__all__ = ["Connection", "Disconnected", "HTTPError", "Pace", "Pool", "Requests", "Response", "Route", "proxy_for"]
