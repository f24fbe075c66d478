"""The kernel that routes and draws over raw logits: in C, and the same thing in numpy."""

from baco_local.native.kernel import Kernel, addresses, description, which

__all__ = ["Kernel", "addresses", "description", "which"]
