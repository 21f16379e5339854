"""What shoppers reach: the links in our messages."""
