"""Sources: where a shop's data is, and the classes that read it, all behind one protocol."""
