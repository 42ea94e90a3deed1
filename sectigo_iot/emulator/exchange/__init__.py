"""One request and one answer: who sent it, what it carries, in which form it is answered."""
