"""What stands between this machine and an order, looked at step by step, and what to do about it. Spends nothing."""
