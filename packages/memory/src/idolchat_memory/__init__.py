"""What users and characters said to each other, found again."""
