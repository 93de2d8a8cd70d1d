"""Coding agents behind the port `Coder`: the place is kept, this version has none."""
