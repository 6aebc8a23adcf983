"""The version of this distribution."""

from importlib.metadata import version

__all__ = ["VERSION"]

VERSION = version("idolchat-api")
