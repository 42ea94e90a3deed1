"""A directory service: registers VASPs, orders through the order book, delivers by webhook, shows who is verified."""
