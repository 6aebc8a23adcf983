"""What is done with the repository, not with the product."""
