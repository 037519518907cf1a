//! The description of the API is that of the API.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::Host;

fn document() -> Value {
    serde_json::from_str(include_str!("../../src/openapi.json")).expect("the document is JSON")
}

/// The routes in the source: each path with its methods.
fn routes() -> BTreeSet<(String, String)> {
    let source = include_str!("../../src/api.rs");
    let routes = source.lines().filter_map(|line| line.split_once(".route(\"")?.1.split_once("\", "));
    let methods = |calls: &str| {
        ["get", "post", "delete"]
            .into_iter()
            .filter(|method| calls.contains(&format!("{method}(")))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    routes
        .flat_map(|(path, calls)| {
            methods(calls).into_iter().map(move |method| (format!("/v1{}", path.trim_end_matches('/')), method))
        })
        .collect()
}

#[test]
fn every_route_is_described() {
    let document = document();
    let paths = document["paths"].as_object().expect("there are paths");
    let described = paths.iter().flat_map(|(path, operations)| {
        let methods = operations.as_object().expect("a path has operations").keys().filter(|key| *key != "parameters");
        methods.map(|method| (path.clone(), method.clone()))
    });
    assert_eq!(described.collect::<BTreeSet<_>>(), routes());
}

#[tokio::test]
async fn the_console_serves_the_description() {
    let host = Host::start();
    assert_eq!(host.get("/v1/openapi.json").await, document());
    assert_eq!(host.get("/v1").await["api"], 1);
}
