//! Points, boxes and landmarks in pixels of the picture that they were found in.

/// A point; x grows to the right, y downwards, in pixels, the first pixel's centre at 0, 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Downwards.
    pub y: f32,
}

/// A box by its upper left corner and its sides, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width, not negative.
    pub width: f32,
    /// Height, not negative.
    pub height: f32,
}

impl Rect {
    /// The middle.
    #[must_use]
    pub fn centre(&self) -> Point {
        Point {
            x: self.x + self.width / 2.0,
            y: self.y + self.height / 2.0,
        }
    }

    /// Area in square pixels.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.width * self.height
    }

    /// Intersection over union with another box, 0 to 1.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f32 {
        let across = (self.x + self.width).min(other.x + other.width) - self.x.max(other.x);
        let down = (self.y + self.height).min(other.y + other.height) - self.y.max(other.y);
        if across <= 0.0 || down <= 0.0 {
            return 0.0;
        }
        let shared = across * down;
        shared / (self.area() + other.area() - shared)
    }

    /// The same box in a picture scaled by `factor`.
    #[must_use]
    pub fn scaled(&self, factor: f32) -> Self {
        Self {
            x: self.x * factor,
            y: self.y * factor,
            width: self.width * factor,
            height: self.height * factor,
        }
    }
}

/// Five points of a face in YuNet's order. Left and right are the *subject's*, so the right eye is
/// on the left of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Landmarks {
    /// Right eye, left eye, tip of the nose, right and left corner of the mouth.
    pub points: [Point; 5],
}

impl Landmarks {
    /// The same points in a picture scaled by `factor`.
    #[must_use]
    pub fn scaled(&self, factor: f32) -> Self {
        Self {
            points: self.points.map(|p| Point {
                x: p.x * factor,
                y: p.y * factor,
            }),
        }
    }
}

/// A face that a detector found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Where, in pixels of the picture; may reach beyond its edges.
    pub bounds: Rect,
    /// The five points.
    pub landmarks: Landmarks,
    /// How sure the detector is, 0 to 1.
    pub score: f32,
}

impl Detection {
    /// The same detection in a picture scaled by `factor`.
    #[must_use]
    pub fn scaled(&self, factor: f32) -> Self {
        Self {
            bounds: self.bounds.scaled(factor),
            landmarks: self.landmarks.scaled(factor),
            score: self.score,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iou_is_shared_area_over_all_area() {
        let unit = Rect {
            x: 0.0,
            y: 0.0,
            width: 2.0,
            height: 2.0,
        };
        let check = |x: f32, expect: f32| {
            assert!((unit.iou(&Rect { x, ..unit }) - expect).abs() < 1e-6, "{x}");
        };
        check(0.0, 1.0);
        check(1.0, 2.0 / 6.0);
        check(2.0, 0.0);
        check(-5.0, 0.0);
    }
}
