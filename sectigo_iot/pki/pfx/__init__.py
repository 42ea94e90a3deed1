"""PKCS#12 read piece by piece (RFC 7292), so that an RSA key is checked without testing its primes again."""
