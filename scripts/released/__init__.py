"""Whether what is released works with what stands here, and what stands here with what is released."""
