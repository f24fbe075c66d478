"""What fills the terminal at a time; each with a stylesheet of its own beside it."""
