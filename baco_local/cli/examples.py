"""What stands at the end of a command's help: lines that can be typed as they are."""


def examples(*lines: str) -> str:
    """An epilog that click leaves as it is (that is what its \\b says)."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
