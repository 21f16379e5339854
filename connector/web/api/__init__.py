"""The JSON API: what an account's own programs may read, with a key."""
