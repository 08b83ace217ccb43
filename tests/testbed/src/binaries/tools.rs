//! The table of tools: versions, what is accepted in their place, and where each can be had.

use crate::{Error, Result};
use std::path::PathBuf;

const KUBERNETES: &str = "v1.36.3";
const ETCD: &str = "v3.6.8";
const OPENBAO: &str = "v2.7.2";
const KUBECONFORM: &str = "v0.8.0";
const KUBE_SCORE: &str = "v1.20.0";
const HELM_DOCS: &str = "v1.14.2";
const ACTIONLINT: &str = "v1.7.12";
const HELM: &str = "v3.22.0";
const PROMETHEUS: &str = "v3.16.0";

/// A program of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// etcd.
    Etcd,
    /// kube-apiserver.
    KubeApiserver,
    /// kube-controller-manager.
    KubeControllerManager,
    /// OpenBao, client and server in one.
    Bao,
    /// Compares manifests with JSON schemas. No part of a stack.
    Kubeconform,
    /// Compares manifests with good practice. No part of a stack.
    KubeScore,
    /// Writes the chart's README from its values. No part of a stack.
    HelmDocs,
    /// Checks GitHub's workflows. No part of a stack.
    Actionlint,
    /// Helm, for the tests of the chart. No part of a stack.
    Helm,
    /// Prometheus' server, for the tests and pictures of the dashboard. No part of a stack.
    Prometheus,
    /// Prometheus' tool, for the tests of the alerts. No part of a stack.
    Promtool,
}

/// A file of an official release.
#[derive(Clone, Debug)]
pub(super) struct Release {
    /// Its address.
    pub url: String,
    /// Address of the published SHA-256 sums: one bare sum, or lines of `sum  file`.
    pub sums: String,
    /// Path of the binary inside, where the file is a `.tar.gz`.
    pub member: Option<String>,
}

/// A build from source as a Go tool.
#[derive(Clone, Copy, Debug)]
pub(super) struct GoBuild {
    /// Folder below `gotools`.
    pub module: &'static str,
    /// The main package.
    pub package: &'static str,
    /// How long it takes, for the message.
    pub about: &'static str,
}

impl Tool {
    /// File name of the binary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Bao => "bao",
            Self::Kubeconform => "kubeconform",
            Self::KubeScore => "kube-score",
            Self::HelmDocs => "helm-docs",
            Self::Actionlint => "actionlint",
            Self::Helm => "helm",
            Self::Prometheus => "prometheus",
            Self::Promtool => "promtool",
        }
    }

    /// The version that is downloaded or built.
    pub fn version(self) -> &'static str {
        match self {
            Self::Etcd => ETCD,
            Self::KubeApiserver | Self::KubeControllerManager => KUBERNETES,
            Self::Bao => OPENBAO,
            Self::Kubeconform => KUBECONFORM,
            Self::KubeScore => KUBE_SCORE,
            Self::HelmDocs => HELM_DOCS,
            Self::Actionlint => ACTIONLINT,
            Self::Helm => HELM,
            Self::Prometheus | Self::Promtool => PROMETHEUS,
        }
    }

    /// The oldest major and minor version of the user's own that will do: Kubernetes 1.36 wants etcd 3.5, streaming lists and
    /// today's CEL want Kubernetes 1.33, namespaces want OpenBao 2.3, the chart is tried with Helm 3.22, and Prometheus parses
    /// queries for others since 3.0.
    pub(super) fn oldest(self) -> (u32, u32) {
        match self {
            Self::Etcd => (3, 5),
            Self::KubeApiserver | Self::KubeControllerManager => (1, 33),
            Self::Bao => (2, 3),
            // The line that the tests were written for: an older one finds less, or words it otherwise.
            Self::Kubeconform => (0, 8),
            Self::KubeScore => (1, 20),
            Self::HelmDocs => (1, 14),
            Self::Actionlint => (1, 7),
            Self::Helm => (3, 22),
            Self::Prometheus | Self::Promtool => (3, 0),
        }
    }

    /// The major version that is too new, where there is one: Helm 4 has other flags and words.
    pub(super) fn too_new(self) -> u32 {
        if self == Self::Helm { 4 } else { u32::MAX }
    }

    /// The arguments that make it print its version.
    pub(super) fn version_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Bao | Self::KubeScore => &["version"],
            Self::Kubeconform => &["-v"],
            Self::Actionlint => &["-version"],
            Self::Helm => &["version", "--short"],
            _ => &["--version"],
        }
    }

    /// Its place in the cache.
    pub(super) fn cached(self) -> Result<PathBuf> {
        Ok(cache_dir()?.join(self.name()).join(self.version()).join(self.name()))
    }

    /// Its official release for this machine, where there is one.
    pub(super) fn release(self) -> Option<Release> {
        let arch = go_arch()?;
        let (name, version) = (self.name(), self.version());
        match (self, std::env::consts::OS) {
            (Self::KubeApiserver | Self::KubeControllerManager, "linux") => {
                let url = format!("https://dl.k8s.io/{version}/bin/linux/{arch}/{name}");
                Some(Release { sums: format!("{url}.sha256"), url, member: None })
            }
            (Self::Etcd, "linux") => {
                let base = format!("https://github.com/etcd-io/etcd/releases/download/{version}");
                let folder = format!("etcd-{version}-linux-{arch}");
                Some(Release {
                    url: format!("{base}/{folder}.tar.gz"),
                    sums: format!("{base}/SHA256SUMS"),
                    member: Some(format!("{folder}/etcd")),
                })
            }
            (Self::Bao, os @ ("linux" | "macos")) => {
                let os = if os == "macos" { "darwin" } else { os };
                let base = format!("https://github.com/openbao/openbao/releases/download/{version}");
                let bare = version.trim_start_matches('v');
                Some(Release {
                    url: format!("{base}/openbao_{bare}_{os}_{arch}.tar.gz"),
                    sums: format!("{base}/checksums.txt"),
                    member: Some("bao".to_owned()),
                })
            }
            (Self::Kubeconform | Self::KubeScore | Self::HelmDocs | Self::Actionlint, "linux" | "macos") => {
                self.checking_release(arch)
            }
            (Self::Helm, os @ ("linux" | "macos")) => {
                let os = if os == "macos" { "darwin" } else { os };
                let url = format!("https://get.helm.sh/helm-{version}-{os}-{arch}.tar.gz");
                Some(Release { sums: format!("{url}.sha256sum"), url, member: Some(format!("{os}-{arch}/helm")) })
            }
            (Self::Prometheus | Self::Promtool, os @ ("linux" | "macos")) => {
                let os = if os == "macos" { "darwin" } else { os };
                let base = format!("https://github.com/prometheus/prometheus/releases/download/{version}");
                let folder = format!("prometheus-{}.{os}-{arch}", version.trim_start_matches('v'));
                Some(Release {
                    url: format!("{base}/{folder}.tar.gz"),
                    sums: format!("{base}/sha256sums.txt"),
                    member: Some(format!("{folder}/{name}")),
                })
            }
            _ => None,
        }
    }

    /// The release of a tool that checks files: each names its archive in a way of its own.
    fn checking_release(self, arch: &str) -> Option<Release> {
        let (name, version) = (self.name(), self.version());
        let os = if std::env::consts::OS == "macos" { "darwin" } else { "linux" };
        let bare = version.trim_start_matches('v');
        let (repository, archive, sums) = match self {
            Self::Kubeconform => ("yannh/kubeconform", format!("kubeconform-{os}-{arch}"), "CHECKSUMS".to_owned()),
            Self::KubeScore => ("zegl/kube-score", format!("{name}_{bare}_{os}_{arch}"), "checksums.txt".to_owned()),
            Self::HelmDocs => {
                let os = if os == "darwin" { "Darwin" } else { "Linux" };
                let arch = if arch == "amd64" { "x86_64" } else { arch };
                ("norwoodj/helm-docs", format!("{name}_{bare}_{os}_{arch}"), "checksums.txt".to_owned())
            }
            Self::Actionlint => {
                ("rhysd/actionlint", format!("{name}_{bare}_{os}_{arch}"), format!("{name}_{bare}_checksums.txt"))
            }
            _ => return None,
        };
        let base = format!("https://github.com/{repository}/releases/download/{version}");
        Some(Release {
            url: format!("{base}/{archive}.tar.gz"),
            sums: format!("{base}/{sums}"),
            member: Some(name.to_owned()),
        })
    }

    /// Its build from source, where there is one.
    pub(super) fn go_build(self) -> Option<GoBuild> {
        match self {
            Self::Etcd => {
                Some(GoBuild { module: "etcd", package: "go.etcd.io/etcd/server/v3", about: "45 seconds on 2 cores" })
            }
            Self::KubeApiserver => Some(GoBuild {
                module: "kubernetes",
                package: "k8s.io/kubernetes/cmd/kube-apiserver",
                about: "5 minutes on 2 cores",
            }),
            Self::KubeControllerManager => Some(GoBuild {
                module: "kubernetes",
                package: "k8s.io/kubernetes/cmd/kube-controller-manager",
                about: "2 minutes on 2 cores after kube-apiserver",
            }),
            Self::Kubeconform => Some(GoBuild {
                module: "kubeconform",
                package: "github.com/yannh/kubeconform/cmd/kubeconform",
                about: "half a minute on 2 cores",
            }),
            Self::KubeScore => Some(GoBuild {
                module: "kube-score",
                package: "github.com/zegl/kube-score/cmd/kube-score",
                about: "1 minute on 2 cores",
            }),
            Self::HelmDocs => Some(GoBuild {
                module: "helm-docs",
                package: "github.com/norwoodj/helm-docs/cmd/helm-docs",
                about: "half a minute on 2 cores",
            }),
            Self::Actionlint => Some(GoBuild {
                module: "actionlint",
                package: "github.com/rhysd/actionlint/cmd/actionlint",
                about: "20 seconds on 2 cores",
            }),
            Self::Helm => {
                Some(GoBuild { module: "helm", package: "helm.sh/helm/v3/cmd/helm", about: "2 minutes on 2 cores" })
            }
            Self::Prometheus => Some(GoBuild {
                module: "prometheus",
                package: "github.com/prometheus/prometheus/cmd/prometheus",
                about: "2 minutes on 2 cores",
            }),
            Self::Promtool => Some(GoBuild {
                module: "prometheus",
                package: "github.com/prometheus/prometheus/cmd/promtool",
                about: "1 minute on 2 cores after prometheus",
            }),
            Self::Bao => None,
        }
    }
}

/// `$XDG_CACHE_HOME/external-secrets-rs/testbed`, or the same below `~/.cache`.
///
/// # Errors
/// [`Error::Environment`] where there is neither `XDG_CACHE_HOME` nor `HOME`.
pub fn cache_dir() -> Result<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    let base = base.ok_or(Error::Environment {
        name: "HOME",
        why: "it is not set, so there is no place for a cache: set XDG_CACHE_HOME to a folder".to_owned(),
    })?;
    Ok(base.join("external-secrets-rs").join("testbed"))
}

fn go_arch() -> Option<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Some("amd64"),
        "aarch64" => Some("arm64"),
        _ => None,
    }
}
