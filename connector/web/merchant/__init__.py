"""What a merchant sets: one shop and its automation."""
