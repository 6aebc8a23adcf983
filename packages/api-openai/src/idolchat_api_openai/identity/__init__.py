"""Who is asking: users that a token, a trusted back end or a signed assertion names."""
