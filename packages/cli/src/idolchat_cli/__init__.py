"""The idol command: serve, talk to and check an idolchat installation."""

__all__ = ["__version__"]

__version__ = "0.1.0"
