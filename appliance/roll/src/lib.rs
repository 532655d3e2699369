//! Records and roster to presence intervals, counts, quorum and conflicts.
