"""Language models behind a port: the place is kept, this version asks none."""
