//! A network of a handful of numbers with everything in it that `prepare` rewrites.
//!
//! Why it exists: tests need a published file that is small, ours, and encoded by other code than
//! the one under test; here it is put together byte by byte.

/// A field of a protobuf message whose value is bytes: a text, a message or raw data.
fn part(number: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let mut field = varint(u64::from(number) << 3 | 2);
    field.extend(varint(bytes.len() as u64));
    field.extend(bytes);
    field
}

/// A field whose value is a whole number.
fn number(number: u8, value: u64) -> Vec<u8> {
    [varint(u64::from(number) << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn tensor(name: &str, kind: u64, dims: &[u64], raw: &[u8]) -> Vec<u8> {
    let dims = dims.iter().flat_map(|&dim| number(1, dim));
    dims.chain(number(2, kind))
        .chain(part(8, name))
        .chain(part(9, raw))
        .collect()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, u64)]) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|&input| part(1, input));
    let attributes = attributes.iter().flat_map(|(name, value)| {
        // An integer attribute is of type 2.
        part(
            5,
            [part(1, name), number(3, *value), number(20, 2)].concat(),
        )
    });
    inputs
        .chain(part(2, output))
        .chain(part(4, operator))
        .chain(attributes)
        .collect()
}

fn value(name: &str, dims: &[u64]) -> Vec<u8> {
    let dims = dims.iter().flat_map(|&dim| part(1, number(1, dim)));
    let shape = part(2, dims.collect::<Vec<u8>>());
    let tensor = part(1, [number(1, 1), shape].concat());
    [part(1, name), part(2, tensor)].concat()
}

/// `y = PRelu(x · w)` on a picture of 3×8×8, with `w` block-quantised, reshaped, and listed as an
/// input together with one that nothing reads.
pub fn model() -> Vec<u8> {
    let blocks = [("axis", 1), ("block_size", 2)];
    let shape: Vec<u8> = [1_u64, 3, 1, 1]
        .into_iter()
        .flat_map(u64::to_le_bytes)
        .collect();
    let nodes = [
        node("Reshape", &["w_flat", "w_shape"], "w", &[]),
        node(
            "DequantizeLinear",
            &["w_bytes", "w_scales", "w_zeros"],
            "w_flat",
            &blocks,
        ),
        node("Mul", &["x", "w"], "scaled", &[]),
        node("PRelu", &["scaled", "slope"], "y", &[]),
    ];
    let constants = [
        tensor("w_bytes", 3, &[1, 3], &[2, 4, 253]),
        tensor("w_scales", 1, &[1, 2], &floats(&[0.5, 2.0])),
        tensor("w_zeros", 3, &[1, 2], &[0, 1]),
        tensor("w_shape", 7, &[4], &shape),
        tensor("slope", 1, &[3, 1, 1], &floats(&[-0.5, 0.25, 1.5])),
    ];
    let inputs = [
        value("x", &[1, 3, 8, 8]),
        value("slope", &[3, 1, 1]),
        value("nobody", &[1]),
    ];
    let graph: Vec<u8> = nodes
        .iter()
        .flat_map(|node| part(1, node))
        .chain(part(2, "tiny"))
        .chain(constants.iter().flat_map(|tensor| part(5, tensor)))
        .chain(inputs.iter().flat_map(|input| part(11, input)))
        .chain(part(12, value("y", &[1, 3, 8, 8])))
        .chain(part(13, value("scaled", &[1, 3, 8, 8])))
        .collect();
    [number(1, 6), part(7, graph), part(8, number(2, 21))].concat()
}
