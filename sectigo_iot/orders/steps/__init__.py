"""What is done about an order in each of its states, one step at a time, with the service on the other side."""
