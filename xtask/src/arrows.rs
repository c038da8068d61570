//! `arrows`: which crate may depend on which, and on what from outside.
//!
//! The facade depends on the backends, on merge and on workers; those depend on the core; siblings
//! never name each other. The allowed arrows are written down here a second time on purpose: a new
//! one is a decision, not a side effect.

use std::process::ExitCode;

use anyhow::{Context, ensure};
use cargo_metadata::{Dependency, DependencyKind, Package, TargetKind};

use crate::steps::Findings;
use crate::workspace::{self, PRODUCT};

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    Ok(check()?.print("arrows"))
}

/// Reads `cargo metadata` and lists every arrow that is not allowed.
pub(crate) fn check() -> anyhow::Result<Findings> {
    let metadata = workspace::metadata()?;
    let packages = metadata.workspace_packages();
    let members: Vec<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut faults = Vec::new();
    for package in &packages {
        faults.extend(of_package(package, &members));
    }
    Ok(Findings {
        faults,
        notes: Vec::new(),
    })
}

const CORE: &str = "io-engine-core";

/// The crates of this workspace that `from` may depend on; `None` if nobody has decided yet.
fn allowed_members(from: &str) -> Option<&'static [&'static str]> {
    match from {
        CORE => Some(&[]),
        "io-engine-aio" | "io-engine-uring" | "io-engine-merge" | "io-engine-workers" => {
            Some(&[CORE])
        }
        "io-engine" => Some(&[
            CORE,
            "io-engine-aio",
            "io-engine-uring",
            "io-engine-merge",
            "io-engine-workers",
        ]),
        "xtask" => Some(&PRODUCT),
        _ => None,
    }
}

/// What a published crate may use from outside, beside what `allowed_specially` knows.
fn allowed_outside(from: &str) -> &'static [&'static str] {
    match from {
        // No channel: the core and the two kernel backends are for builds without threads.
        CORE => &["bytes", "libc", "rustix", "tracing"],
        "io-engine-uring" => &["bytes", "io-uring", "libc", "rustix", "tracing"],
        "io-engine-aio" => &["bytes", "libc", "rustix", "tracing"],
        // Touches no file descriptor, so nothing that could.
        "io-engine-merge" => &["bytes", "crossbeam-channel", "tracing"],
        "io-engine-workers" | "io-engine" => {
            &["bytes", "crossbeam-channel", "libc", "rustix", "tracing"]
        }
        _ => &[],
    }
}

fn allowed_specially(from: &str, dependency: &Dependency) -> bool {
    match dependency.name.as_str() {
        // The conformance suite makes its own files.
        "tempfile" => from == CORE && dependency.optional,
        "loom" => {
            let target = dependency.target.as_ref().map(ToString::to_string);
            target.as_deref() == Some("cfg(loom)")
        }
        _ => false,
    }
}

fn of_package(package: &Package, members: &[&str]) -> Vec<String> {
    let from = package.name.as_str();
    let mut faults = Vec::new();
    let Some(allowed) = allowed_members(from) else {
        return vec![format!(
            "{from}: a crate that the arrows do not know; give it its place in xtask/src/arrows.rs"
        )];
    };
    for dependency in &package.dependencies {
        let to = dependency.name.as_str();
        let for_tests = dependency.kind == DependencyKind::Development;
        if members.contains(&to) {
            let to_core_for_tests = for_tests && to == CORE;
            if !allowed.contains(&to) && !to_core_for_tests {
                faults.push(format!(
                    "{from} -> {to} ({}): this arrow is not allowed; {from} may depend on {}",
                    dependency.kind,
                    listed(allowed)
                ));
            }
        } else if PRODUCT.contains(&from) && !for_tests {
            let known = allowed_outside(from);
            if !known.contains(&to) && !allowed_specially(from, dependency) {
                faults.push(format!(
                    "{from} -> {to} ({}): not a dependency of this crate; it may use {}",
                    dependency.kind,
                    listed(known)
                ));
            }
        }
    }
    let has_script = |target: &cargo_metadata::Target| target.is_kind(TargetKind::CustomBuild);
    if package.targets.iter().any(has_script) || package.links.is_some() {
        faults.push(format!(
            "{from}: a build script or `links`; the product builds with Rust and a linker alone"
        ));
    }
    faults
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        return "no crate of this workspace".to_owned();
    }
    names.join(", ")
}

/// The kernel backends are products of their own, for builds without threads: nothing of a channel
/// in all that they pull in.
pub(crate) fn backends_are_free_of_channels() -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    for backend in ["io-engine-uring", "io-engine-aio"] {
        let arguments = ["tree", "--edges", "normal,build", "--prefix", "none", "-p"];
        let output = workspace::cargo(arguments)
            .arg(backend)
            .output()
            .context("cargo tree")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cargo tree -p {backend}: {said}");
        findings
            .faults
            .extend(channels_in(backend, &String::from_utf8(output.stdout)?)?);
    }
    Ok(findings)
}

fn channels_in(backend: &str, tree: &str) -> anyhow::Result<Vec<String>> {
    ensure!(
        tree.starts_with(backend),
        "cargo tree printed no tree of {backend}"
    );
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let channels = names.filter(|name| name.starts_with("crossbeam"));
    Ok(channels
        .map(|name| format!("{backend} pulls in {name}: it has to build without a channel"))
        .collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const MEMBERS: [&str; 7] = [
        CORE,
        "io-engine-aio",
        "io-engine-uring",
        "io-engine-merge",
        "io-engine-workers",
        "io-engine",
        "xtask",
    ];

    fn dependency(name: &str) -> Value {
        json!({
            "name": name, "source": null, "req": "*", "kind": null, "rename": null,
            "optional": false, "uses_default_features": true, "features": [], "target": null,
            "registry": null
        })
    }

    fn with(name: &str, key: &str, value: Value) -> Value {
        let mut changed = dependency(name);
        changed[key] = value;
        changed
    }

    fn faults_with_targets(from: &str, dependencies: &[Value], targets: &Value) -> Vec<String> {
        let package = json!({
            "name": from, "version": "0.1.0", "id": from, "source": null,
            "dependencies": dependencies, "targets": targets, "features": {},
            "manifest_path": "Cargo.toml"
        });
        let package: Package = serde_json::from_value(package).unwrap();
        of_package(&package, &MEMBERS)
    }

    fn faults(from: &str, dependencies: &[Value]) -> Vec<String> {
        faults_with_targets(from, dependencies, &json!([]))
    }

    #[test]
    fn the_arrows_of_this_workspace_are_allowed() {
        assert_eq!(check().unwrap().faults, Vec::<String>::new());
    }

    #[test]
    fn downward_is_allowed_and_upward_is_refused_by_name() {
        assert!(
            faults(
                "io-engine",
                &[dependency("io-engine-uring"), dependency(CORE)]
            )
            .is_empty()
        );
        let upward = faults(CORE, &[dependency("io-engine")]);
        assert_eq!(upward.len(), 1);
        assert!(
            upward[0].starts_with("io-engine-core -> io-engine (normal)"),
            "{upward:?}"
        );
    }

    #[test]
    fn siblings_never_name_each_other_not_even_for_tests() {
        assert_eq!(
            faults("io-engine-merge", &[dependency("io-engine-workers")]).len(),
            1
        );
        let for_tests = with("io-engine-uring", "kind", json!("dev"));
        assert_eq!(faults("io-engine-aio", &[for_tests]).len(), 1);
        let core_for_tests = with(CORE, "kind", json!("dev"));
        assert!(faults(CORE, &[core_for_tests]).is_empty());
    }

    #[test]
    fn nobody_depends_on_xtask() {
        assert_eq!(faults("io-engine", &[dependency("xtask")]).len(), 1);
    }

    #[test]
    fn an_unknown_crate_of_the_workspace_needs_a_decision() {
        assert_eq!(faults("io-engine-net", &[]).len(), 1);
    }

    #[test]
    fn outside_dependencies_are_those_of_the_list() {
        assert_eq!(faults("io-engine", &[dependency("tokio")]).len(), 1);
        assert_eq!(
            faults("io-engine-aio", &[dependency("crossbeam-channel")]).len(),
            1
        );
        assert_eq!(faults("io-engine-aio", &[dependency("io-uring")]).len(), 1);
        assert!(faults("io-engine-uring", &[dependency("io-uring")]).is_empty());
        assert!(faults("io-engine", &[with("tokio", "kind", json!("dev"))]).is_empty());
        assert_eq!(
            faults("io-engine", &[with("cc", "kind", json!("build"))]).len(),
            1
        );
    }

    #[test]
    fn tempfile_is_optional_and_loom_only_under_its_cfg() {
        assert_eq!(faults(CORE, &[dependency("tempfile")]).len(), 1);
        assert!(faults(CORE, &[with("tempfile", "optional", json!(true))]).is_empty());
        assert_eq!(
            faults(
                "io-engine-aio",
                &[with("tempfile", "optional", json!(true))]
            )
            .len(),
            1
        );
        assert_eq!(faults("io-engine", &[dependency("loom")]).len(), 1);
        let under_cfg = with("loom", "target", json!("cfg(loom)"));
        assert!(faults("io-engine", &[under_cfg]).is_empty());
    }

    #[test]
    fn build_scripts_are_refused() {
        let script = json!([{
            "name": "build-script-build", "kind": ["custom-build"], "crate_types": ["bin"],
            "src_path": "build.rs"
        }]);
        assert_eq!(faults_with_targets(CORE, &[], &script).len(), 1);
    }

    #[test]
    fn a_channel_anywhere_in_the_tree_of_a_backend_is_found() {
        let tree =
            "io-engine-aio v0.1.0\nio-engine-core v0.1.0 (path)\ncrossbeam-channel v0.5.15\n";
        assert_eq!(channels_in("io-engine-aio", tree).unwrap().len(), 1);
        let clean = "io-engine-aio v0.1.0\nlibc v0.2\n";
        assert!(channels_in("io-engine-aio", clean).unwrap().is_empty());
        assert!(channels_in("io-engine-aio", "").is_err());
    }
}
