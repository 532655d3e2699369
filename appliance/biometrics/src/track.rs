//! Tracks: the same face from frame to frame, so that a person at the door is one thing and not
//! thirty a second.
//!
//! Knows where faces are, never whose they are. Takes `now`; an id is never used twice.

use std::fmt;
use std::time::Duration;

use vocabulary::Monotonic;

use crate::geometry::{Detection, Point, Rect};

/// Most tracks at once. A door shows a handful of people; a poster of faces must not cost more.
pub const TRACKS_MAX: usize = 16;

/// Most detections of one frame that are looked at, the largest ones.
pub const DETECTIONS_MAX: usize = 64;

/// Furthest into the future that a movement is prolonged.
const PREDICTION_MAX: Duration = Duration::from_millis(400);

/// The name of one track, for as long as the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId(pub u64);

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far a track has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Far off or just passing: nothing is computed.
    Passing,
    /// Near enough for long enough: templates are worth making.
    Approaching,
    /// Decided: nothing is computed any more.
    Settled,
}

/// One face over time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Track {
    /// Its name.
    pub id: TrackId,
    /// Where it was last seen.
    pub detection: Detection,
    /// When it was first seen.
    pub first_seen: Monotonic,
    /// When it was last seen.
    pub last_seen: Monotonic,
    /// In how many frames it was seen.
    pub sightings: u32,
    /// Whether the newest frame showed it.
    pub visible: bool,
    /// How far it has come.
    pub stage: Stage,
    /// Movement of its centre in pixels a second.
    velocity: Point,
}

impl Track {
    /// Whether a template of the newest frame is worth making.
    #[must_use]
    pub fn wants_template(&self) -> bool {
        self.visible && self.stage == Stage::Approaching
    }

    /// Where its box should be at `now`.
    fn predicted(&self, now: Monotonic) -> Rect {
        let ahead = now.since(self.last_seen).min(PREDICTION_MAX).as_secs_f32();
        Rect {
            x: self.detection.bounds.x + self.velocity.x * ahead,
            y: self.detection.bounds.y + self.velocity.y * ahead,
            ..self.detection.bounds
        }
    }
}

/// What an operator may decide about tracking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackerConfig {
    /// Width of a face in pixels from which its owner approaches.
    pub approach_width_px: f32,
    /// Frames that must have shown a face before it approaches: a flicker of the detector does not.
    pub approach_sightings: u32,
    /// How long a face may be out of sight and stay the same track.
    pub lost_max: Duration,
    /// How far a centre may lie from where it was expected, in widths of the face.
    pub distance_widths_max: f32,
    /// How many times wider or narrower a face may have become from one sighting to the next.
    pub size_ratio_max: f32,
    /// How long a decided face may be out of sight and stay decided. Whoever comes into view after
    /// that may be somebody who stepped into the other's place.
    pub settled_gap_max: Duration,
    /// How far the centre of a decided face may move from one sighting to the next, in widths of
    /// the face, and stay decided, for the same reason.
    pub settled_jump_widths_max: f32,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            approach_width_px: 64.0,
            approach_sightings: 2,
            lost_max: Duration::from_millis(1000),
            distance_widths_max: 0.9,
            size_ratio_max: 1.8,
            settled_gap_max: Duration::from_millis(350),
            settled_jump_widths_max: 0.6,
        }
    }
}

/// What became of the tracks with one frame.
#[derive(Debug, Clone, Copy)]
pub struct TrackUpdate<'a> {
    /// All that live, oldest first; [`Track::visible`] says which the frame showed.
    pub tracks: &'a [Track],
    /// Which ended.
    pub ended: &'a [TrackId],
    /// Detections for which there was no room.
    pub dropped: usize,
}

/// Follows faces.
#[derive(Debug)]
pub struct Tracker {
    config: TrackerConfig,
    tracks: Vec<Track>,
    ended: Vec<TrackId>,
    next: u64,
    matcher: Matcher,
    order: Vec<usize>,
}

impl Tracker {
    /// A tracker that has seen nothing; its first track is number 1.
    #[must_use]
    pub fn new(config: TrackerConfig) -> Self {
        Self {
            config,
            tracks: Vec::with_capacity(TRACKS_MAX),
            ended: Vec::with_capacity(TRACKS_MAX),
            next: 1,
            matcher: Matcher::default(),
            order: Vec::with_capacity(DETECTIONS_MAX),
        }
    }

    /// Takes in what the detector found in the frame captured at `now`, a frame of `frame_px`
    /// (width, height) pixels. No detection goes to two tracks, no track gets two.
    ///
    /// A track ends when it was out of sight for longer than [`TrackerConfig::lost_max`], or out of
    /// sight while it should by now be beyond the frame's edge.
    pub fn update(
        &mut self,
        now: Monotonic,
        detections: &[Detection],
        frame_px: (u32, u32),
    ) -> TrackUpdate<'_> {
        self.order_by_size(detections);
        self.matcher
            .fill(&self.config, &self.tracks, detections, &self.order, now);
        self.matcher.solve();
        for (at, track) in self.tracks.iter_mut().enumerate() {
            match self.matcher.column_of(at).map(|column| self.order[column]) {
                Some(index) => seen(track, detections[index], now, &self.config),
                None => track.visible = false,
            }
        }
        self.end_lost(now, frame_px);
        let dropped = detections.len() - self.order.len() + self.start_new(now, detections);
        TrackUpdate {
            tracks: &self.tracks,
            ended: &self.ended,
            dropped,
        }
    }

    /// Marks a track as decided: no templates are made of it any more. Of a track that has ended
    /// nothing is left to mark.
    pub fn settle(&mut self, id: TrackId) {
        if let Some(track) = self.tracks.iter_mut().find(|track| track.id == id) {
            track.stage = Stage::Settled;
        }
    }

    /// Lets those of the settled tracks that are `chosen` be compared once more: because what they
    /// were compared with has been replaced, or because somebody who was not known still stands
    /// there.
    pub fn reopen(&mut self, chosen: impl Fn(TrackId) -> bool) {
        for track in &mut self.tracks {
            if track.stage == Stage::Settled && chosen(track.id) {
                track.stage = Stage::Approaching;
            }
        }
    }

    /// All that live, oldest first.
    #[must_use]
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// The usable detections' numbers, the widest first.
    fn order_by_size(&mut self, detections: &[Detection]) {
        self.order.clear();
        let usable = detections.iter().enumerate().filter(|(_, d)| is_usable(d));
        self.order.extend(usable.map(|(index, _)| index));
        let width = |index: &usize| detections[*index].bounds.width;
        self.order
            .sort_by(|a, b| width(b).total_cmp(&width(a)).then(a.cmp(b)));
        self.order.truncate(DETECTIONS_MAX);
    }

    fn end_lost(&mut self, now: Monotonic, (width, height): (u32, u32)) {
        self.ended.clear();
        let (ended, lost_max) = (&mut self.ended, self.config.lost_max);
        self.tracks.retain(|track| {
            let centre = track.predicted(now).centre();
            let gone = centre.x < 0.0
                || centre.y < 0.0
                || centre.x > width as f32
                || centre.y > height as f32;
            let stays = track.visible || (now.since(track.last_seen) <= lost_max && !gone);
            if !stays {
                ended.push(track.id);
            }
            stays
        });
    }

    /// Opens a track for each detection that no track took, while there is room; returns for how
    /// many there was none.
    fn start_new(&mut self, now: Monotonic, detections: &[Detection]) -> usize {
        let mut dropped = 0;
        for (column, index) in self.order.iter().enumerate() {
            if self.matcher.is_taken(column) {
                continue;
            }
            if self.tracks.len() == TRACKS_MAX {
                dropped += 1;
                continue;
            }
            let mut track = Track {
                id: TrackId(self.next),
                detection: detections[*index],
                first_seen: now,
                last_seen: now,
                sightings: 1,
                visible: true,
                stage: Stage::Passing,
                velocity: Point::default(),
            };
            advance(&mut track, &self.config);
            self.tracks.push(track);
            self.next += 1;
        }
        dropped
    }
}

/// Least side of a box in pixels; less is no face but a detector's mistake.
const SIDE_PX_MIN: f32 = 1.0;

/// Furthest that a box may lie from the picture's corner, and largest side, in pixels: far beyond
/// any picture, and far below where adding pixels loses precision.
const COORDINATE_PX_MAX: f32 = 65_536.0;

/// Whether a box makes an area in or near a picture. Numbers that are none (NaN) do not.
fn is_usable(detection: &Detection) -> bool {
    let bounds = detection.bounds;
    let sides = [bounds.width, bounds.height];
    [bounds.x, bounds.y]
        .iter()
        .all(|place| place.abs() <= COORDINATE_PX_MAX)
        && sides
            .iter()
            .all(|side| (SIDE_PX_MIN..=COORDINATE_PX_MAX).contains(side))
}

/// Share of a new measurement in the movement that is kept: half, as detectors jitter by a pixel or
/// two while people change pace within a few frames.
const VELOCITY_SHARE: f32 = 0.5;

/// Shortest time between two frames from which a movement is computed, in seconds.
const INTERVAL_S_MIN: f32 = 1e-3;

fn seen(track: &mut Track, detection: Detection, now: Monotonic, config: &TrackerConfig) {
    let gap = now.since(track.last_seen);
    let jump = distance(track.detection.bounds.centre(), detection.bounds.centre())
        / detection.bounds.width.max(SIDE_PX_MIN);
    let unsure = gap > config.settled_gap_max || jump > config.settled_jump_widths_max;
    if track.stage == Stage::Settled && unsure {
        track.stage = Stage::Approaching;
    }
    let elapsed = gap.as_secs_f32();
    if elapsed >= INTERVAL_S_MIN {
        let (from, to) = (track.detection.bounds.centre(), detection.bounds.centre());
        let blend = |old: f32, new: f32| old + VELOCITY_SHARE * (new - old);
        track.velocity = Point {
            x: blend(track.velocity.x, (to.x - from.x) / elapsed),
            y: blend(track.velocity.y, (to.y - from.y) / elapsed),
        };
    }
    track.detection = detection;
    track.last_seen = track.last_seen.max(now);
    track.sightings = track.sightings.saturating_add(1);
    track.visible = true;
    advance(track, config);
}

fn distance(one: Point, other: Point) -> f32 {
    (one.x - other.x).hypot(one.y - other.y)
}

/// A track that has approached stays so: who steps back while being read is not forgotten.
fn advance(track: &mut Track, config: &TrackerConfig) {
    let near = track.detection.bounds.width >= config.approach_width_px;
    let steady = track.sightings >= config.approach_sightings;
    if track.stage == Stage::Passing && near && steady {
        track.stage = Stage::Approaching;
    }
}

/// Cost of leaving a track without a detection. An allowed pair costs at most as much, so it is
/// always preferred.
const COST_NONE: f32 = 1.0;

/// Cost of a pair that must not be.
const COST_NEVER: f32 = 1e6;

/// Chooses which detection goes to which track so that the sum of the costs is least (the Hungarian
/// method, with potentials, O(tracks² × detections)); greedy choice would let two people who cross
/// take each other's place. Reuses its memory.
#[derive(Debug, Default)]
struct Matcher {
    rows: usize,
    /// Detections; after them every row has a column of its own that stands for "none".
    detections: usize,
    cost: Vec<f32>,
    row_potential: Vec<f32>,
    column_potential: Vec<f32>,
    /// Per column the row that it goes to, both counted from 1; 0 is none.
    row_of: Vec<usize>,
    came_from: Vec<usize>,
    least: Vec<f32>,
    visited: Vec<bool>,
}

impl Matcher {
    fn columns(&self) -> usize {
        self.detections + self.rows
    }

    fn fill(
        &mut self,
        config: &TrackerConfig,
        tracks: &[Track],
        detections: &[Detection],
        order: &[usize],
        now: Monotonic,
    ) {
        (self.rows, self.detections) = (tracks.len(), order.len());
        self.cost.clear();
        for (row, track) in tracks.iter().enumerate() {
            let expected = track.predicted(now);
            let pairs = order
                .iter()
                .map(|index| cost(config, &expected, &detections[*index].bounds));
            self.cost.extend(pairs);
            let own = |column| if column == row { COST_NONE } else { COST_NEVER };
            self.cost.extend((0..tracks.len()).map(own));
        }
    }

    fn solve(&mut self) {
        let columns = self.columns();
        for (values, count) in [
            (&mut self.row_potential, self.rows + 1),
            (&mut self.column_potential, columns + 1),
        ] {
            values.clear();
            values.resize(count, 0.0);
        }
        self.row_of.clear();
        self.row_of.resize(columns + 1, 0);
        self.came_from.clear();
        self.came_from.resize(columns + 1, 0);
        for row in 1..=self.rows {
            self.row_of[0] = row;
            let end = self.shortest_path();
            self.augment(end);
        }
    }

    /// Grows the tree of cheapest alternations from the row at column 0 until it meets a free
    /// column.
    fn shortest_path(&mut self) -> usize {
        let columns = self.columns();
        self.least.clear();
        self.least.resize(columns + 1, f32::INFINITY);
        self.visited.clear();
        self.visited.resize(columns + 1, false);
        let mut column = 0;
        // Each turn visits one more column, so the loop ends; a free one is always met, since every
        // row has its own "none".
        for _ in 0..=columns {
            if self.row_of[column] == 0 {
                break;
            }
            self.visited[column] = true;
            let row = self.row_of[column];
            let (mut next, mut step) = (0, f32::INFINITY);
            for other in 1..=columns {
                if self.visited[other] {
                    continue;
                }
                let reduced = self.cost[(row - 1) * columns + other - 1]
                    - self.row_potential[row]
                    - self.column_potential[other];
                if reduced < self.least[other] {
                    self.least[other] = reduced;
                    self.came_from[other] = column;
                }
                if self.least[other] < step {
                    (next, step) = (other, self.least[other]);
                }
            }
            for other in 0..=columns {
                if self.visited[other] {
                    self.row_potential[self.row_of[other]] += step;
                    self.column_potential[other] -= step;
                } else {
                    self.least[other] -= step;
                }
            }
            column = next;
        }
        column
    }

    fn augment(&mut self, mut column: usize) {
        while column != 0 {
            let before = self.came_from[column];
            self.row_of[column] = self.row_of[before];
            column = before;
        }
    }

    /// The place in the order of the detection that a track gets.
    fn column_of(&self, row: usize) -> Option<usize> {
        let taken = &self.row_of[1..=self.detections];
        let column = taken.iter().position(|taker| *taker == row + 1)?;
        let allowed = self.cost[row * self.columns() + column] <= COST_NONE;
        allowed.then_some(column)
    }

    fn is_taken(&self, column: usize) -> bool {
        self.row_of[column + 1]
            .checked_sub(1)
            .is_some_and(|row| self.column_of(row) == Some(column))
    }
}

/// 0 for the expected box itself up to [`COST_NONE`] at the limits, beyond them [`COST_NEVER`].
fn cost(config: &TrackerConfig, expected: &Rect, found: &Rect) -> f32 {
    let wider = expected.width.max(found.width);
    let narrower = expected.width.min(found.width);
    if wider > narrower * config.size_ratio_max {
        return COST_NEVER;
    }
    let (from, to) = (expected.centre(), found.centre());
    let distance = (to.x - from.x).hypot(to.y - from.y) / wider;
    if distance > config.distance_widths_max {
        return COST_NEVER;
    }
    let near = 1.0 - distance / config.distance_widths_max;
    let alike = narrower / wider;
    COST_NONE - near * (0.5 * alike + 0.5 * expected.iou(found))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;
    use crate::geometry::Landmarks;
    use proptest::prelude::*;

    const FRAME_PX: (u32, u32) = (640, 480);

    fn face(x: f32, y: f32, width: f32) -> Detection {
        Detection {
            bounds: Rect {
                x,
                y,
                width,
                height: width * 1.25,
            },
            landmarks: Landmarks::default(),
            score: 0.9,
        }
    }

    /// Plays frames 33 ms apart; returns the ids visible in each, by the order of the faces.
    fn ids_of(tracker: &mut Tracker, from_ms: u64, frames: &[Vec<Detection>]) -> Vec<Vec<u64>> {
        let play = |(at, faces): (usize, &Vec<Detection>)| {
            let now = Monotonic::from_millis(from_ms + 33 * at as u64);
            let update = tracker.update(now, faces, FRAME_PX);
            faces
                .iter()
                .map(|face| {
                    let shown = |t: &&Track| t.visible && t.detection == *face;
                    update
                        .tracks
                        .iter()
                        .find(shown)
                        .map_or(0, |track| track.id.0)
                })
                .collect()
        };
        frames.iter().enumerate().map(play).collect()
    }

    #[test]
    fn a_walk_up_is_one_track_that_approaches_once_near() {
        let mut tracker = Tracker::new(TrackerConfig::default());
        for step in 0..30_u16 {
            let width = 40.0 + 2.0 * f32::from(step);
            let now = Monotonic::from_millis(33 * u64::from(step));
            let x = 300.0 - width / 2.0 + f32::from(step);
            let update = tracker.update(now, &[face(x, 100.0, width)], FRAME_PX);
            let [track] = update.tracks else {
                panic!("{} tracks", update.tracks.len());
            };
            assert_eq!(track.id, TrackId(1));
            assert_eq!(track.wants_template(), width >= 64.0, "{width}");
        }
        tracker.settle(TrackId(1));
        let update = tracker.update(
            Monotonic::from_millis(1000),
            &[face(280.0, 100.0, 98.0)],
            FRAME_PX,
        );
        assert_eq!(update.tracks[0].stage, Stage::Settled);
        assert!(!update.tracks[0].wants_template());
        tracker.reopen(|_| true);
        assert!(tracker.tracks()[0].wants_template());
    }

    #[test]
    fn one_flicker_of_the_detector_wants_no_template() {
        let mut tracker = Tracker::new(TrackerConfig::default());
        let update = tracker.update(Monotonic(0), &[face(0.0, 0.0, 200.0)], FRAME_PX);
        assert!(!update.tracks[0].wants_template());
    }

    #[test]
    fn a_brief_loss_keeps_the_track_and_a_long_one_ends_it() {
        let check = |gap_ms: u64, expect_same: bool| {
            let mut tracker = Tracker::new(TrackerConfig::default());
            let here = vec![face(300.0, 200.0, 80.0)];
            ids_of(&mut tracker, 0, &[here.clone(), here.clone()]);
            // In between, empty frames arrive.
            let mut ended = Vec::new();
            for at in 1..gap_ms / 100 {
                let now = Monotonic::from_millis(33 + at * 100);
                ended.extend(tracker.update(now, &[], FRAME_PX).ended.to_vec());
            }
            let ids = ids_of(&mut tracker, 33 + gap_ms, &[here]);
            assert_eq!(ids[0][0] == 1, expect_same, "{gap_ms} ms");
            assert_eq!(
                ended == [TrackId(1)],
                !expect_same,
                "{gap_ms} ms: {ended:?}"
            );
        };
        check(200, true);
        check(900, true);
        check(1500, false);
    }

    #[test]
    fn who_walks_out_of_the_picture_ends_at_once() {
        let mut tracker = Tracker::new(TrackerConfig::default());
        for step in 0..5_u16 {
            let faces = [face(540.0 + 15.0 * f32::from(step), 100.0, 60.0)];
            tracker.update(
                Monotonic::from_millis(33 * u64::from(step)),
                &faces,
                FRAME_PX,
            );
        }
        let update = tracker.update(Monotonic::from_millis(400), &[], FRAME_PX);
        assert_eq!(update.ended, [TrackId(1)]);
    }

    #[test]
    fn two_who_cross_keep_their_tracks() {
        let frames: Vec<Vec<Detection>> = (0..30_u16)
            .map(|step| {
                let along = 14.0 * f32::from(step);
                let left = face(50.0 + along, 100.0, 80.0);
                let right = face(460.0 - along, 118.0, 86.0);
                // The detector's order changes all the time.
                if step % 2 == 0 {
                    vec![left, right]
                } else {
                    vec![right, left]
                }
            })
            .collect();
        let ids = ids_of(&mut Tracker::new(TrackerConfig::default()), 0, &frames);
        for (at, pair) in ids.iter().enumerate() {
            let expect = if at % 2 == 0 { [1, 2] } else { [2, 1] };
            // The very first frame numbers by size.
            let expect = expect.map(|id| 3 - id);
            assert_eq!(pair[..], expect, "frame {at}");
        }
    }

    #[test]
    fn more_faces_than_room_are_counted_and_the_largest_kept() {
        let mut tracker = Tracker::new(TrackerConfig::default());
        let crowd: Vec<Detection> = (0..100_u16)
            .map(|n| {
                face(
                    f32::from(n % 10) * 60.0,
                    f32::from(n / 10) * 45.0,
                    20.0 + f32::from(n) / 10.0,
                )
            })
            .collect();
        let update = tracker.update(Monotonic(0), &crowd, FRAME_PX);
        assert_eq!(update.tracks.len(), TRACKS_MAX);
        assert_eq!(update.dropped, 100 - TRACKS_MAX);
        let narrowest = update.tracks.iter().map(|t| t.detection.bounds.width);
        assert!(narrowest.fold(f32::MAX, f32::min) > 28.0);
    }

    /// The least sum of costs over all ways to pair rows and columns, by trying them all.
    fn least_cost(matcher: &Matcher, row: usize, taken: &mut Vec<usize>) -> f32 {
        if row == matcher.rows {
            return 0.0;
        }
        let mut least = f32::INFINITY;
        for column in 0..matcher.columns() {
            if !taken.contains(&column) {
                taken.push(column);
                let rest = least_cost(matcher, row + 1, taken);
                taken.pop();
                least = least.min(matcher.cost[row * matcher.columns() + column] + rest);
            }
        }
        least
    }

    fn some_faces(most: usize) -> impl Strategy<Value = Vec<Detection>> {
        let one = (-50.0_f32..690.0, -50.0_f32..530.0, 5.0_f32..200.0);
        prop::collection::vec(one.prop_map(|(x, y, width)| face(x, y, width)), 0..most)
    }

    proptest! {
        #[test]
        fn the_assignment_is_the_cheapest(
            before in some_faces(5), after in some_faces(5),
        ) {
            let mut tracker = Tracker::new(TrackerConfig::default());
            tracker.update(Monotonic(0), &before, FRAME_PX);
            let order: Vec<usize> = (0..after.len()).collect();
            let mut matcher = Matcher::default();
            let now = Monotonic::from_millis(33);
            matcher.fill(&tracker.config, tracker.tracks(), &after, &order, now);
            matcher.solve();
            let total: f32 = (1..=matcher.columns())
                .filter(|column| matcher.row_of[*column] > 0)
                .map(|column| {
                    let row = matcher.row_of[column] - 1;
                    matcher.cost[row * matcher.columns() + column - 1]
                })
                .sum();
            let least = least_cost(&matcher, 0, &mut Vec::new());
            prop_assert!((total - least).abs() < 1e-3, "{} is not {}", total, least);
        }

        /// Whatever comes: ids are never used again, a detection has at most one track, there are
        /// never too many, and what ended does not live on.
        #[test]
        fn the_invariants_hold_for_any_frames(
            frames in prop::collection::vec((some_faces(30), 0_u64..1500), 1..25),
            settle in any::<u64>(),
        ) {
            let mut tracker = Tracker::new(TrackerConfig::default());
            let mut now_ms = 0;
            let mut ended = HashSet::new();
            let mut newest = 0;
            for (faces, elapsed_ms) in &frames {
                now_ms += elapsed_ms;
                tracker.settle(TrackId(settle % 7));
                let update = tracker.update(Monotonic::from_millis(now_ms), faces, FRAME_PX);
                prop_assert!(update.tracks.len() <= TRACKS_MAX);
                let visible = update.tracks.iter().filter(|track| track.visible);
                let places: BTreeSet<String> = visible
                    .clone()
                    .map(|track| format!("{:?}", track.detection.bounds))
                    .collect();
                prop_assert_eq!(places.len() + update.dropped, faces.len());
                prop_assert_eq!(visible.count(), places.len());
                for id in update.ended {
                    prop_assert!(ended.insert(*id), "{id} ended twice");
                }
                for pair in update.tracks.windows(2) {
                    prop_assert!(pair[0].id < pair[1].id);
                }
                for track in update.tracks {
                    prop_assert!(!ended.contains(&track.id), "{} lives on", track.id);
                    prop_assert!(track.first_seen <= track.last_seen);
                }
                let highest = update.tracks.last().map_or(newest, |track| track.id.0);
                newest = newest.max(highest);
            }
        }

        #[test]
        fn broken_detections_are_passed_over(numbers in prop::array::uniform4(any::<f32>())) {
            let mut broken = face(0.0, 0.0, 10.0);
            let [x, y, width, height] = numbers;
            broken.bounds = Rect { x, y, width, height };
            let mut tracker = Tracker::new(TrackerConfig::default());
            for at in 0..3 {
                let update = tracker.update(Monotonic::from_millis(at * 33), &[broken], FRAME_PX);
                prop_assert!(update.tracks.len() <= 1);
            }
        }
    }
}
