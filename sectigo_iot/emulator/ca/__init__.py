"""The certificate authority: keys, certificates, bundles, revocation lists and OCSP answers."""
