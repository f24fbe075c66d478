"""What screens are made of, one to a file."""
