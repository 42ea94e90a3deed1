"""One module per command: configure(parser), run(args, context)."""
