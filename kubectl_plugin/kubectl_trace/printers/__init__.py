"""What goes to stdout: one printer per form (`-o`)."""
