"""What the commands on conversations are made of."""
