"""What a file is, and when what is installed runs out."""
