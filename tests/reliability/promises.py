"""What is promised, in the order of the page: a key, by which tests note their figures, and the promise."""

PROMISES = {
    "one-login": "One login for all: 32 processes with 4 threads each that start at once with an empty cache log "
    "in once, and refresh once where the access token has run out",
    "spoilt-cache": "A token cache that is empty, cut, garbage, of wrong types, 10 MB, a link, a FIFO, a folder, "
    "somebody else's, on a read-only or full disk: no traceback, it heals itself, and no link is followed",
    "whole-cache": "Readers never see half a cache: 4 writers with 1,000 writes each beside 2,000 readers",
    "foreign-host": "Tokens and passwords go where they belong: never to another user's, endpoint's or host's server",
    "mid-session": "A session that breaks off (401, refresh refused, token rotated or missing, server with another "
    "key) costs one more login at the most",
    "refused-password": "A refused password is not tried again by itself",
    "deadline": "Every request ends within its deadline and a second, wherever the server stops or dribbles",
    "reads": "Reads are repeated through 503, 429 and resets",
    "orders": "An order is sent once, unless it provably never left; what is unknown is told with its batch name",
    "download": "A download leaves the old whole file or the new one, wherever it is cut, and nothing else",
    "replies": "Whatever a server answers: a value, or an error of the library",
    "command-lines": "Whatever is typed: no traceback, an exit code of the table, and nothing sent when it is wrong",
    "secrets": "No password, token or key in what is printed, logged, traced, raised or recorded",
    "files": "What holds a secret is private from the first instant, under any umask",
    "memory": "A download of 200 MiB stays under 60 MiB of memory",
    "certificate-login": "Login with a client certificate, against a TLS server that demands one",
    "environment": "The environment does not win over the CA file and the token that the program chose",
    "clock": "A clock that is wrong or moves does no harm",
    "signals": "SIGINT and SIGTERM at any moment: dies of the signal, and nothing is left",
    "keyring": "A keyring that is absent, locked, failing or hanging costs two seconds at the most",
    "proxies": "Proxies are used as the environment says, in all its spellings",
    "pkcs12-mutations": "The fast way to open a PKCS#12 accepts nothing that the plain way refuses, but for "
    "factors that were made on purpose to look prime",
    "switch": "A reader sees the old certificate with its key or the new one with its own, never one of each",
}
