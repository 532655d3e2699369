//! The views, drawn on any DrawTarget, and the sinks.
