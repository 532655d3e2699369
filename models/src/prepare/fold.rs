//! Computes what follows from constants alone: dequantised weights and their reshapes.
//!
//! Why it exists: a weight stored as bytes with a scale for every block of it is computed once
//! here, exactly as the operator is defined, instead of at every start or every run. A quantised
//! weight that cannot be computed here is an error, never left behind half done.

use crate::error::PrepareError;
use crate::onnx::{EXTERNAL, FLOAT, GraphProto, INT8, INT64, NodeProto, TensorProto, UINT8};
use std::collections::HashMap;

/// The most bytes of folded weights: four for each byte of the largest model that is read.
pub const FOLDED_BYTES_MAX: usize = 1 << 30;

/// Replaces every `DequantizeLinear` of constants by its result, and every `Reshape` of those.
pub fn fold_weights(graph: &mut GraphProto) -> Result<(), PrepareError> {
    let mut constants = Constants::take(graph);
    let mut left = std::mem::take(&mut graph.node);
    // Nodes need not stand in the order of their needs; each round computes at least one, or ends.
    loop {
        let before = left.len();
        let mut kept = Vec::with_capacity(before);
        for node in left {
            match constants.compute(&node)? {
                Some(result) => constants.add(result)?,
                None => kept.push(node),
            }
        }
        left = kept;
        if left.len() == before {
            break;
        }
    }
    if let Some(node) = left.iter().find(|node| node.is("DequantizeLinear")) {
        return Err(trouble(
            node,
            "dequantises something that is not a constant",
        ));
    }
    graph.node = left;
    graph.initializer = constants.tensors;
    Ok(())
}

/// The graph's constants, by name.
struct Constants {
    tensors: Vec<TensorProto>,
    places: HashMap<String, usize>,
    folded_bytes: usize,
}

impl Constants {
    fn take(graph: &mut GraphProto) -> Self {
        let tensors = std::mem::take(&mut graph.initializer);
        let places = tensors
            .iter()
            .enumerate()
            .map(|(at, t)| (t.name().to_owned(), at))
            .collect();
        Self {
            tensors,
            places,
            folded_bytes: 0,
        }
    }

    fn get(&self, name: &str) -> Option<&TensorProto> {
        self.places.get(name).map(|&at| &self.tensors[at])
    }

    fn add(&mut self, tensor: TensorProto) -> Result<(), PrepareError> {
        let name = tensor.name().to_owned();
        if self
            .places
            .insert(name.clone(), self.tensors.len())
            .is_some()
        {
            return Err(PrepareError::Tensor {
                name,
                problem: "is made twice".to_owned(),
            });
        }
        self.tensors.push(tensor);
        Ok(())
    }

    /// The node's result, when it is one of those folded here and all it needs is constant.
    fn compute(&mut self, node: &NodeProto) -> Result<Option<TensorProto>, PrepareError> {
        let inputs: Option<Vec<&TensorProto>> = node
            .input
            .iter()
            .filter(|n| !n.is_empty())
            .map(|n| self.get(n))
            .collect();
        let Some(inputs) = inputs else {
            return Ok(None);
        };
        let [output] = node.output.as_slice() else {
            return Ok(None);
        };
        let result = if node.is("DequantizeLinear") {
            dequantize(node, output, &inputs)?
        } else if node.is("Reshape") && inputs.first().is_some_and(|t| t.data_type() == FLOAT) {
            reshape(node, output, &inputs)?
        } else {
            return Ok(None);
        };
        self.folded_bytes += result.raw_data().len();
        if self.folded_bytes > FOLDED_BYTES_MAX {
            return Err(PrepareError::TooLarge {
                bytes_max: FOLDED_BYTES_MAX,
            });
        }
        Ok(Some(result))
    }
}

/// `y = (x − zero point) · scale`, with one scale for the tensor, for each slice along an axis, or
/// for each block along it (ONNX operator set 21, `DequantizeLinear`).
fn dequantize(
    node: &NodeProto,
    output: &str,
    inputs: &[&TensorProto],
) -> Result<TensorProto, PrepareError> {
    let (x, scale, zero) = match inputs {
        [x, scale] => (*x, *scale, None),
        [x, scale, zero] => (*x, *scale, Some(*zero)),
        _ => return Err(trouble(node, "has not two or three inputs")),
    };
    let wide = node.attribute("output_dtype").map_or(0, |a| a.int());
    if wide != 0 && wide != i64::from(FLOAT) {
        return Err(trouble(node, "gives another type than 32-bit floats"));
    }
    let values = bytes(x)?;
    let scales = floats(scale)?;
    let zeros = match zero {
        Some(zero) if zero.data_type() == x.data_type() => bytes(zero)?,
        Some(_) => return Err(trouble(node, "has a zero point of another type")),
        None => vec![0; scales.len()],
    };
    if zeros.len() != scales.len() {
        return Err(trouble(
            node,
            "has another number of zero points than of scales",
        ));
    }
    let grid = Grid::of(node, x, scale)?;
    let folded: Vec<f32> = values
        .iter()
        .enumerate()
        .map(|(at, value)| {
            let block = grid.block_of(at);
            // Both are at most eight bits wide, so the difference is exact.
            (value - zeros[block]) as f32 * scales[block]
        })
        .collect();
    Ok(TensorProto::of_floats(output, &x.dims, &folded))
}

/// Which scale belongs to which element.
struct Grid {
    /// Elements from one step along the axis to the next.
    inner: usize,
    /// Steps along the axis.
    steps: usize,
    /// Steps along the axis that share a scale.
    block: usize,
    /// Scales along the axis.
    blocks: usize,
    /// Whether scales differ from one place beside the axis to the next.
    everywhere: bool,
}

impl Grid {
    fn of(node: &NodeProto, x: &TensorProto, scale: &TensorProto) -> Result<Self, PrepareError> {
        let dims = sizes(x)?;
        let scale_dims = sizes(scale)?;
        let total: usize = dims.iter().product();
        let block_size = node.attribute("block_size").map_or(0, |a| a.int());
        if block_size == 0 && scale_dims.iter().product::<usize>() == 1 {
            // One scale for all: a single block that everything is in.
            return Ok(Self {
                inner: total.max(1),
                steps: 1,
                block: 1,
                blocks: 1,
                everywhere: false,
            });
        }
        let axis = node.attribute("axis").map_or(1, |a| a.int());
        let axis = if axis < 0 {
            axis + dims.len() as i64
        } else {
            axis
        };
        let axis = usize::try_from(axis).ok().filter(|axis| *axis < dims.len());
        let axis = axis.ok_or_else(|| trouble(node, "has an axis that its weight has not"))?;
        let inner = dims[axis + 1..].iter().product();
        let steps = dims[axis];
        if block_size == 0 {
            if scale_dims != [steps] {
                return Err(trouble(
                    node,
                    "has another number of scales than its axis has steps",
                ));
            }
            return Ok(Self {
                inner,
                steps,
                block: 1,
                blocks: steps,
                everywhere: false,
            });
        }
        let block = usize::try_from(block_size)
            .map_err(|_| trouble(node, "has a block of less than nothing"))?;
        let mut expected = dims;
        expected[axis] = steps.div_ceil(block);
        if scale_dims != expected {
            return Err(trouble(node, "has scales that do not fit its blocks"));
        }
        Ok(Self {
            inner,
            steps,
            block,
            blocks: expected[axis],
            everywhere: true,
        })
    }

    fn block_of(&self, at: usize) -> usize {
        let step = at / self.inner % self.steps;
        if !self.everywhere {
            return step / self.block;
        }
        let outer = at / self.inner / self.steps;
        (outer * self.blocks + step / self.block) * self.inner + at % self.inner
    }
}

/// The same numbers under new dimensions: 0 keeps a dimension, −1 takes what is left.
fn reshape(
    node: &NodeProto,
    output: &str,
    inputs: &[&TensorProto],
) -> Result<TensorProto, PrepareError> {
    let [x, shape] = inputs else {
        return Err(trouble(node, "has not two inputs"));
    };
    let values = floats(x)?;
    let mut dims = integers(shape)?;
    let zero_is_zero = node.attribute("allowzero").is_some_and(|a| a.int() != 0);
    for (at, dim) in dims.iter_mut().enumerate() {
        if *dim == 0 && !zero_is_zero {
            let kept = x.dims.get(at);
            *dim = *kept.ok_or_else(|| trouble(node, "keeps a dimension that is not there"))?;
        }
    }
    let unknown = dims.iter().filter(|dim| **dim == -1).count();
    let known = product(dims.iter().filter(|dim| **dim != -1))
        .filter(|known| unknown == 0 || (unknown == 1 && *known != 0))
        .ok_or_else(|| trouble(node, "has a shape that does not determine itself"))?;
    if let Some(dim) = dims.iter_mut().find(|dim| **dim == -1) {
        *dim = (values.len() / known) as i64;
    }
    if product(dims.iter()) != Some(values.len()) {
        return Err(trouble(node, "has a shape that its numbers do not fill"));
    }
    Ok(TensorProto::of_floats(output, &dims, &values))
}

/// Signed or unsigned bytes, as integers.
fn bytes(tensor: &TensorProto) -> Result<Vec<i32>, PrepareError> {
    let signed = match tensor.data_type() {
        INT8 => true,
        UINT8 => false,
        _ => {
            return Err(odd(
                tensor,
                "is of another type than signed or unsigned bytes",
            ));
        }
    };
    let value = |byte: u8| {
        if signed {
            i32::from(byte.cast_signed())
        } else {
            i32::from(byte)
        }
    };
    let values = match &tensor.raw_data {
        Some(raw) => raw.iter().copied().map(value).collect(),
        None => tensor.int32_data.clone(),
    };
    let range = if signed { -128..=127 } else { 0..=255 };
    if !values.iter().all(|value| range.contains(value)) {
        return Err(odd(tensor, "has a number that is no byte"));
    }
    filled(tensor, values)
}

/// 32-bit floats.
pub fn floats(tensor: &TensorProto) -> Result<Vec<f32>, PrepareError> {
    if tensor.data_type() != FLOAT {
        return Err(odd(tensor, "is of another type than 32-bit floats"));
    }
    let values = match &tensor.raw_data {
        Some(raw) if raw.len() % 4 == 0 => raw
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect(),
        Some(_) => return Err(odd(tensor, "has a broken last number")),
        None => tensor.float_data.clone(),
    };
    filled(tensor, values)
}

/// 64-bit integers, as a shape has.
fn integers(tensor: &TensorProto) -> Result<Vec<i64>, PrepareError> {
    if tensor.data_type() != INT64 {
        return Err(odd(tensor, "is of another type than 64-bit integers"));
    }
    let values = match &tensor.raw_data {
        Some(raw) if raw.len() % 8 == 0 => raw
            .as_chunks()
            .0
            .iter()
            .map(|bytes| i64::from_le_bytes(*bytes))
            .collect(),
        Some(_) => return Err(odd(tensor, "has a broken last number")),
        None => tensor.int64_data.clone(),
    };
    filled(tensor, values)
}

/// The values, when they are as many as the dimensions say. No memory is asked for on the word of
/// the dimensions alone.
fn filled<T>(tensor: &TensorProto, values: Vec<T>) -> Result<Vec<T>, PrepareError> {
    if tensor.data_location() == EXTERNAL {
        return Err(odd(tensor, "keeps its numbers in a second file"));
    }
    if tensor.segment.is_some() {
        return Err(odd(tensor, "is stored in segments"));
    }
    if product(tensor.dims.iter()) != Some(values.len()) {
        return Err(odd(
            tensor,
            "has another number of values than its dimensions say",
        ));
    }
    Ok(values)
}

fn sizes(tensor: &TensorProto) -> Result<Vec<usize>, PrepareError> {
    let sizes: Result<_, _> = tensor
        .dims
        .iter()
        .map(|dim| usize::try_from(*dim))
        .collect();
    sizes.map_err(|_| odd(tensor, "has a dimension of less than nothing"))
}

fn product<'a>(mut dims: impl Iterator<Item = &'a i64>) -> Option<usize> {
    dims.try_fold(1_usize, |product, dim| {
        product.checked_mul(usize::try_from(*dim).ok()?)
    })
}

fn odd(tensor: &TensorProto, problem: &str) -> PrepareError {
    PrepareError::Tensor {
        name: tensor.name().to_owned(),
        problem: problem.to_owned(),
    }
}

fn trouble(node: &NodeProto, problem: &str) -> PrepareError {
    PrepareError::Node {
        node: node.label(),
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::AttributeProto;

    fn tensor(name: &str, data_type: i32, dims: &[i64], raw: &[u8]) -> TensorProto {
        TensorProto {
            name: Some(name.to_owned()),
            data_type: Some(data_type),
            dims: dims.to_vec(),
            raw_data: Some(raw.to_vec()),
            ..TensorProto::default()
        }
    }

    fn node(operator: &str, input: &[&str], attributes: &[(&str, i64)]) -> NodeProto {
        NodeProto {
            op_type: Some(operator.to_owned()),
            input: input.iter().map(|&i| i.to_owned()).collect(),
            output: vec![format!("{operator}_out")],
            attribute: attributes
                .iter()
                .map(|(name, value)| AttributeProto {
                    name: Some((*name).to_owned()),
                    i: Some(*value),
                    ..AttributeProto::default()
                })
                .collect(),
            ..NodeProto::default()
        }
    }

    fn fold(
        nodes: Vec<NodeProto>,
        constants: Vec<TensorProto>,
    ) -> Result<GraphProto, PrepareError> {
        let mut graph = GraphProto {
            node: nodes,
            initializer: constants,
            ..GraphProto::default()
        };
        fold_weights(&mut graph).map(|()| graph)
    }

    fn last(graph: &GraphProto) -> (Vec<i64>, Vec<f32>) {
        let tensor = graph.initializer.last().unwrap();
        (tensor.dims.clone(), floats(tensor).unwrap())
    }

    #[test]
    fn every_granularity_of_scales_is_computed_as_defined() {
        let x = tensor("x", INT8, &[2, 4], &[1, 2, 3, 4, 255, 254, 253, 252]);
        let check = |dims: &[i64],
                     scales: &[f32],
                     zeros: &[u8],
                     attributes: &[(&str, i64)],
                     expect: [f32; 8]| {
            let constants = vec![
                x.clone(),
                TensorProto::of_floats("s", dims, scales),
                tensor("z", INT8, dims, zeros),
            ];
            let dequantize = node("DequantizeLinear", &["x", "s", "z"], attributes);
            let graph = fold(vec![dequantize], constants).unwrap();
            assert!(graph.node.is_empty());
            assert_eq!(last(&graph), (vec![2, 4], expect.to_vec()));
        };
        // One scale: x is 1 2 3 4 −1 −2 −3 −4, the zero point 1.
        check(
            &[],
            &[2.0],
            &[1],
            &[],
            [0., 2., 4., 6., -4., -6., -8., -10.],
        );
        // One for each row, one for each column.
        check(
            &[2],
            &[1., 10.],
            &[0, 1],
            &[("axis", 0)],
            [1., 2., 3., 4., -20., -30., -40., -50.],
        );
        let columns = [1., 10., 100., 1000.];
        let expect = [1., 20., 300., 4000., -1., -20., -300., -4000.];
        check(&[4], &columns, &[0; 4], &[("axis", -1)], expect);
        // Blocks of two along each row; blocks of two along each column.
        let blocks = [("axis", 1), ("block_size", 2)];
        let expect = [1., 2., 30., 40., -100., -200., -3000., -4000.];
        check(&[2, 2], &columns, &[0; 4], &blocks, expect);
        let blocks = [("axis", 0), ("block_size", 2)];
        let expect = [1., 20., 300., 4000., -1., -20., -300., -4000.];
        check(&[1, 4], &columns, &[0; 4], &blocks, expect);
        // The last block of a row may be short.
        let blocks = [("axis", 1), ("block_size", 3)];
        let expect = [1., 2., 3., 40., -100., -200., -300., -4000.];
        check(&[2, 2], &columns, &[0; 4], &blocks, expect);
    }

    #[test]
    fn unsigned_bytes_and_typed_data_are_read_alike() {
        let mut x = tensor("x", UINT8, &[2], &[]);
        x.raw_data = None;
        x.int32_data = vec![0, 255];
        let scale = TensorProto::of_floats("s", &[], &[0.5]);
        let graph = fold(
            vec![node("DequantizeLinear", &["x", "s"], &[])],
            vec![x, scale],
        )
        .unwrap();
        assert_eq!(last(&graph), (vec![2], vec![0.0, 127.5]));
    }

    #[test]
    fn a_reshape_follows_whatever_the_order_of_nodes() {
        let constants = vec![
            tensor("x", INT8, &[2, 2], &[1, 2, 3, 4]),
            TensorProto::of_floats("s", &[], &[1.0]),
            tensor(
                "shape",
                INT64,
                &[3],
                &[1_i64, -1, 2].map(i64::to_le_bytes).concat(),
            ),
        ];
        let nodes = vec![
            node("Reshape", &["DequantizeLinear_out", "shape"], &[]),
            node("DequantizeLinear", &["x", "s"], &[]),
        ];
        let graph = fold(nodes, constants).unwrap();
        assert_eq!(last(&graph), (vec![1, 2, 2], vec![1., 2., 3., 4.]));
    }

    #[test]
    fn what_cannot_be_folded_is_named() {
        let x = || tensor("x", INT8, &[4], &[1, 2, 3, 4]);
        let check = |constants: Vec<TensorProto>, attributes: &[(&str, i64)], expect: &str| {
            let mut dequantize = node("DequantizeLinear", &["x", "s"], attributes);
            dequantize.name = Some("weight".to_owned());
            let error = fold(vec![dequantize], constants).unwrap_err();
            assert_eq!(error.to_string(), expect);
        };
        let scale = |dims: &[i64], values: &[f32]| TensorProto::of_floats("s", dims, values);
        check(
            vec![x()],
            &[],
            "the node `weight` dequantises something that is not a constant",
        );
        check(
            vec![x(), scale(&[3], &[1.; 3])],
            &[("axis", 0)],
            "the node `weight` has another number of scales than its axis has steps",
        );
        check(
            vec![x(), scale(&[2], &[1.; 2])],
            &[("axis", 1), ("block_size", 2)],
            "the node `weight` has an axis that its weight has not",
        );
        check(
            vec![x(), scale(&[3], &[1.; 3])],
            &[("axis", 0), ("block_size", 2)],
            "the node `weight` has scales that do not fit its blocks",
        );
        check(
            vec![tensor("x", INT8, &[1 << 40], &[1]), scale(&[], &[1.])],
            &[],
            "the tensor `x` has another number of values than its dimensions say",
        );
        check(
            vec![tensor("x", 22, &[4], &[1, 2]), scale(&[], &[1.])],
            &[],
            "the tensor `x` is of another type than signed or unsigned bytes",
        );
        let mut outside = x();
        outside.data_location = Some(EXTERNAL);
        check(
            vec![outside, scale(&[], &[1.])],
            &[],
            "the tensor `x` keeps its numbers in a second file",
        );
    }
}
