"""The idol command: serve, talk to and check an idolchat installation."""
