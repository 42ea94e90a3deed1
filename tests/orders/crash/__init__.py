"""Orders in processes that are killed, or refused by the system, at each of their system calls: `make crash-test`."""
