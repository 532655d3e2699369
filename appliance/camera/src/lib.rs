//! Frame sources: V4L2 camera, recorded, scripted.
