// Nothing is compiled: `cargo vendor` brings the dependency, scripts/build-component takes the adapter out of it.
