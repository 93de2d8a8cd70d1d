"""Where rows of data go in a repository: an abstract run that follows them through calls, objects, modules and files.

`trace` gives what one state of a repository shows; `redlines` compares two states.
"""

from autosota.provenance.roles import Trace, trace
from autosota.provenance.values import Atom, lineage, relation

__all__ = ["Atom", "Trace", "lineage", "relation", "trace"]
