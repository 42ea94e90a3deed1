"""The second port: whoever tests a client looks behind the service there, and moves its clock and its batches."""
