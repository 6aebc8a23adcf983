"""Characters as everybody but their own package needs them: by id or slug, with greetings and defaults."""
