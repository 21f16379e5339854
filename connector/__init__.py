"""Our words, our rules, our tables, and the doors people use."""
