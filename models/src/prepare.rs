//! Rewrites a published graph into a plain 32-bit float one that runs everywhere, and fast.
//!
//! Why it exists: the published files are block-quantised in a way that ONNX Runtime refuses or
//! runs slowly, list computed weights as inputs, fix the detector's picture to 640×640, and use an
//! activation whose kernel costs half of the comparer's time. Each pass changes the form and not
//! the function: the outputs stay those of the published file, and a test holds them to it.
//!
//! The same input always gives the same bytes. It is pure: no file is opened and nothing is run.

mod fold;
mod relu;

use crate::digest::Digest;
use crate::error::PrepareError;
use crate::onnx::{
    self, Dimension, DimensionValue, GraphProto, ModelProto, NodeProto, StringStringEntryProto,
    TypeValue, ValueInfoProto,
};
use std::collections::HashSet;

/// What is known of a graph beforehand.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The name of the one input that stays.
    pub input: &'a str,
    /// Whether pictures of any height and width shall be taken.
    pub free_size: bool,
}

/// Rewrites the graph of a published file.
///
/// # Errors
/// [`PrepareError`] when the bytes are no such graph, or hold something that these passes cannot
/// carry over exactly.
pub fn prepare(published: &[u8], plan: Plan<'_>) -> Result<Vec<u8>, PrepareError> {
    let mut model = onnx::read(published)?;
    let graph = model.graph.as_mut().ok_or(PrepareError::NoGraph)?;
    fold::fold_weights(graph)?;
    relu::replace_prelu(graph)?;
    drop_false_inputs(graph, plan.input)?;
    if plan.free_size {
        free_size(graph, plan.input)?;
    }
    tidy(graph);
    state_versions(&mut model);
    state_origin(&mut model, Digest::of(published));
    Ok(onnx::write(&model))
}

/// Leaves one input, the picture. What names a weight, or is read by nothing, is none.
fn drop_false_inputs(graph: &mut GraphProto, input: &str) -> Result<(), PrepareError> {
    let read = names_read(graph);
    let weights: HashSet<&str> = graph.initializer.iter().map(|w| w.name()).collect();
    let second = graph
        .input
        .iter()
        .map(ValueInfoProto::name)
        .find(|name| *name != input && read.contains(*name) && !weights.contains(name));
    if let Some(second) = second {
        return Err(PrepareError::SecondInput(second.to_owned()));
    }
    let picture = graph
        .input
        .iter()
        .find(|i| i.name() == input && read.contains(i.name()));
    let Some(picture) = picture.cloned() else {
        return Err(PrepareError::NoInput(input.to_owned()));
    };
    graph.input = vec![picture];
    Ok(())
}

/// Height and width become names, and of the outputs only the number of dimensions stays stated;
/// the runtime finds the shapes of a given picture by itself.
fn free_size(graph: &mut GraphProto, input: &str) -> Result<(), PrepareError> {
    let no_picture = || PrepareError::NotAPicture(input.to_owned());
    let picture = graph
        .input
        .iter_mut()
        .find(|i| i.name() == input)
        .ok_or_else(no_picture)?;
    let dimensions = dimensions(picture)
        .filter(|d| d.len() == 4)
        .ok_or_else(no_picture)?;
    for (dimension, name) in dimensions[2..].iter_mut().zip(["height", "width"]) {
        dimension.value = Some(DimensionValue::Param(name.to_owned()));
    }
    for output in &mut graph.output {
        for dimension in self::dimensions(output).into_iter().flatten() {
            dimension.value = None;
        }
    }
    Ok(())
}

/// Drops what nothing reads any more, and the hints about values in between, which are stale.
fn tidy(graph: &mut GraphProto) {
    let read = names_read(graph);
    graph
        .initializer
        .retain(|weight| read.contains(weight.name()));
    graph.value_info.clear();
    graph.quantization_annotation.clear();
}

/// An operator set needs the message version that came with it. The published files state version
/// 6 with operator set 21, which a strict reader refuses.
fn state_versions(model: &mut ModelProto) {
    let operators = model
        .opset_import
        .iter()
        .filter(|set| matches!(set.domain(), "" | "ai.onnx"))
        .map(|set| set.version())
        .max();
    // Weights need not be inputs from version 4 on, and here they no longer are.
    let least = match operators.unwrap_or(0) {
        ..=9 => 4,
        10 => 5,
        11 => 6,
        12..=14 => 7,
        15..=18 => 8,
        19..=20 => 9,
        21..=22 => 10,
        23 => 11,
        24 => 12,
        25.. => 13,
    };
    model.ir_version = Some(model.ir_version().max(least));
}

/// Writes into the file from which published file it was made.
fn state_origin(model: &mut ModelProto, published: Digest) {
    model.metadata_props.push(StringStringEntryProto {
        key: Some("prepared_from_sha256".to_owned()),
        value: Some(published.to_string()),
    });
}

fn dimensions(value: &mut ValueInfoProto) -> Option<&mut Vec<Dimension>> {
    match value.r#type.as_mut()?.value.as_mut()? {
        TypeValue::Tensor(tensor) => tensor.shape.as_mut().map(|shape| &mut shape.dim),
        TypeValue::Sequence(_)
        | TypeValue::Map(_)
        | TypeValue::Opaque(_)
        | TypeValue::SparseTensor(_)
        | TypeValue::Optional(_) => None,
    }
}

/// Every name that a node reads or the graph gives out, those of nodes' own subgraphs included. A
/// subgraph's inner names may be among them, which only keeps more than needed.
fn names_read(graph: &GraphProto) -> HashSet<String> {
    let mut read = HashSet::new();
    let mut graphs = vec![graph];
    while let Some(graph) = graphs.pop() {
        read.extend(graph.output.iter().map(|output| output.name().to_owned()));
        for node in &graph.node {
            read.extend(node.input.iter().filter(|name| !name.is_empty()).cloned());
            graphs.extend(subgraphs(node));
        }
    }
    read
}

fn subgraphs(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute
        .iter()
        .flat_map(|a| a.g.as_deref().into_iter().chain(&a.graphs))
}
