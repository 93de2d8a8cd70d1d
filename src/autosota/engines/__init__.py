"""Where measurements run: local processes."""
