"""From a downloaded ZIP or PKCS#12 to verified files."""
