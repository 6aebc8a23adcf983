"""What one caller or address may ask of the server, so that the others are served."""
