"""The demo: two pretend stores, a day of shoppers, and outside observers who compare what they saw with our rows."""
