//! Pixels to detections and templates: the only crate that uses ONNX Runtime.
