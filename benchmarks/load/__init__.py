"""A closed loop of clients on raw sockets: each sends its next request when the reply to the last one has ended."""
