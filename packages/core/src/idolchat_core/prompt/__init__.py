"""What is sent to the model: the history that is kept, and how much of it."""
