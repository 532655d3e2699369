//! Prints the OpenAPI document: what `make openapi` commits. `syncd hub openapi` prints the same.

fn main() {
    print!("{}", wire::openapi::text());
}
