"""The executable part of the skills, a family a file."""
