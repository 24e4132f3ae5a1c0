"""What the product does: plain functions over the store, for the web and the command line."""
