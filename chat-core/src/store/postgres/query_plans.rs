//! No statement that is run often reads a table from end to end.
