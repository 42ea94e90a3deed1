"""What an emulator plays, written down: the world, the lives of batches, and files that say so in TOML."""
