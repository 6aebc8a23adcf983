"""What ``idol doctor`` looks at."""
