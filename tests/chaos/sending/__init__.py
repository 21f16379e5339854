"""What the cases about messages share: who committed first, carts that fall due, senders that can be killed."""
