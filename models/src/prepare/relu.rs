//! Replaces `PRelu(x, a)` by `a·x + (1 − a)·Relu(x)`.
//!
//! Why it exists: the runtime's kernel for PRelu is slow and makes it rearrange data around every
//! convolution; multiplications, Relu and addition are not and do not. For x ≥ 0 the sum is
//! a·x + x − a·x = x, for x < 0 it is a·x: the same function for any slope. `max(x, a·x)` would be
//! shorter, and wrong for the slopes above 1 that trained networks have.

use super::fold::floats;
use crate::error::PrepareError;
use crate::onnx::{FLOAT, GraphProto, NodeProto, TensorProto};
use std::collections::{HashMap, HashSet};

/// Replaces every PRelu whose slopes are constant; any other stays as it is.
pub fn replace_prelu(graph: &mut GraphProto) -> Result<(), PrepareError> {
    let constants: HashMap<&str, &TensorProto> = graph
        .initializer
        .iter()
        .filter(|tensor| tensor.data_type() == FLOAT)
        .map(|tensor| (tensor.name(), tensor))
        .collect();
    let mut names = Names::of(graph);
    let mut complements: HashMap<String, TensorProto> = HashMap::new();
    let mut order = Vec::new();
    let mut nodes = Vec::with_capacity(graph.node.len());
    for node in &graph.node {
        let parts = (node.input.as_slice(), node.output.as_slice());
        let ([x, slope], [output], true) = (parts.0, parts.1, node.is("PRelu")) else {
            nodes.push(node.clone());
            continue;
        };
        let Some(slopes) = constants.get(slope.as_str()) else {
            nodes.push(node.clone());
            continue;
        };
        if !complements.contains_key(slope) {
            let complement: Vec<f32> = floats(slopes)?.iter().map(|a| 1.0 - a).collect();
            let name = names.fresh(slope, "complement");
            complements.insert(
                slope.clone(),
                TensorProto::of_floats(&name, &slopes.dims, &complement),
            );
            order.push(slope.clone());
        }
        let complement = complements[slope].name();
        let [scaled, positive, part] =
            ["scaled", "positive", "part"].map(|tail| names.fresh(output, tail));
        nodes.push(simple("Mul", &[x, slope], &scaled));
        nodes.push(simple("Relu", &[x], &positive));
        nodes.push(simple("Mul", &[&positive, complement], &part));
        nodes.push(simple("Add", &[&scaled, &part], output));
    }
    graph.node = nodes;
    graph
        .initializer
        .extend(order.iter().filter_map(|slope| complements.remove(slope)));
    Ok(())
}

fn simple(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        name: Some(format!("{output}_{}", operator.to_lowercase())),
        op_type: Some(operator.to_owned()),
        ..NodeProto::default()
    }
}

/// All names of values, so that a new one is new.
struct Names(HashSet<String>);

impl Names {
    fn of(graph: &GraphProto) -> Self {
        let nodes = graph
            .node
            .iter()
            .flat_map(|n| n.input.iter().chain(&n.output))
            .cloned();
        let tensors = graph.initializer.iter().map(|t| t.name().to_owned());
        let values = graph
            .input
            .iter()
            .chain(&graph.output)
            .map(|v| v.name().to_owned());
        Self(nodes.chain(tensors).chain(values).collect())
    }

    fn fresh(&mut self, stem: &str, tail: &str) -> String {
        let mut name = format!("{stem}_{tail}");
        while !self.0.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prelu(x: &str, slope: &str, output: &str) -> NodeProto {
        simple("PRelu", &[x, slope], output)
    }

    #[test]
    fn slopes_shared_by_two_are_complemented_once_and_names_stay_unique() {
        let mut graph = GraphProto {
            node: vec![
                prelu("x", "a", "y"),
                prelu("y", "a", "y_scaled"),
                prelu("y", "b", "z"),
            ],
            initializer: vec![TensorProto::of_floats("a", &[3, 1, 1], &[-0.81, 0.0, 1.12])],
            ..GraphProto::default()
        };
        replace_prelu(&mut graph).unwrap();
        let operators: Vec<&str> = graph.node.iter().map(|n| n.op_type()).collect();
        assert_eq!(
            operators,
            [
                "Mul", "Relu", "Mul", "Add", "Mul", "Relu", "Mul", "Add", "PRelu"
            ],
            "the slope `b` is not constant, so its PRelu stays"
        );
        assert_eq!(graph.initializer.len(), 2);
        assert_eq!(graph.initializer[1].dims, [3, 1, 1]);
        assert_eq!(
            floats(&graph.initializer[1]).unwrap(),
            [1.0 + 0.81, 1.0, 1.0 - 1.12]
        );
        let outputs: HashSet<&String> = graph.node.iter().flat_map(|n| &n.output).collect();
        assert_eq!(outputs.len(), graph.node.len());
        assert_eq!(graph.node[3].output, ["y"]);
    }
}
