"""``python -m idolchat_cli``: the ``idol`` command."""

from idolchat_cli.main import main

if __name__ == "__main__":
    main()
