"""The pure core: values in, decisions out. No clock, no chance, no input or output."""
