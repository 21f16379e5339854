"""Everything that talks to someone else's server, one folder each."""
