"""Keys and signing requests (RFC 2986): names, subjects, and many at once."""
