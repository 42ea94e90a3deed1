"""What goes wrong on demand: which faults there are, when they strike, and what each does to a call."""
