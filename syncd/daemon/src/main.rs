//! `syncd`: beside a kiosk it pulls rosters and pushes records; `syncd hub` is the city side.

fn main() {}
