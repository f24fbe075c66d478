"""Everything that was written: kept while it is written, found again, marked, and taken elsewhere.

from baco_local.library import Library

with Library() as library:
    for entry in library.history(starred=True):
        print(entry.node.text, [idea.text for idea in library.ideas(entry.node.id, starred=True)])
"""

from baco_local.library.book import Library
from baco_local.library.nodes import Entry, Hit, Node

__all__ = ["Entry", "Hit", "Library", "Node"]
