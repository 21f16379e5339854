"""Pure composition of what people receive."""
