"""The page in a browser, and its client in Node, against the real server."""
