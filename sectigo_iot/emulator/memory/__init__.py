"""What has happened: accounts, batches, certificates, the journal; and how all of it goes on as time passes."""
