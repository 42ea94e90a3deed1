"""Books as they were released, one dump for each version of the tables; a released one is never changed."""
