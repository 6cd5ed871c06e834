"""pytest plugin: nothing is registered until a test asks for it."""
