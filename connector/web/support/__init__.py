"""What support reads: every shop, every checkout, and why something was or was not done."""
