"""What `doctor` knows: how this program stands on this machine, a verdict for every fact, and what mends it."""
